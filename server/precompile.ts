// Fills Node's compile cache (NODE_COMPILE_CACHE) before the first start of the platform's processes. Without it, Node loads its
// parser of TypeScript into each of them, which takes 20 MB for as long as they run.
// The modules of all imports are loaded and compiled before the first is evaluated; the first ends this process, so nothing starts.
import './precompile-end.ts';
import './main.ts';
import './control.ts';
import './router.ts';
import '../runtime/daemon.ts';
import '../runtime/files/process.ts';
// What they load when it is needed.
import './host/checks.ts';
import './host/containers.ts';
import './http/dashboard.ts';
