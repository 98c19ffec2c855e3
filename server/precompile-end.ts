import { flushCompileCache } from 'node:module';

flushCompileCache();
process.exit(0);
