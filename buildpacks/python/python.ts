import type { BuildPlan, RunStep } from '../build-plan.ts';
import { type Buildpack, BuildpackError } from '../buildpack.ts';
import type { SourceTree } from '../source-tree.ts';
import { systemPath } from '../system-path.ts';
import { checkPythonVersion, pythonVersion } from './python-version.ts';
import { type Requirements, readRequirements } from './requirements.ts';

/** Files at the root that mean Python; the first three can say what to install. */
const signs = ['requirements.txt', 'pyproject.toml', 'Pipfile', 'setup.py', 'runtime.txt', '.python-version'];
const programs = ['manage.py', 'app.py', 'main.py'];

/** The app's packages; hidden, so that no pushed folder lies over it by accident. */
const environment = '/app/.paas/python';

/**
 * Python apps on Debian's Python. Dependencies come from requirements.txt, out of wheels in the repository or an index.
 * There is no default process: a Procfile says how to start.
 */
export const python: Buildpack = {
  id: 'python',
  name: 'Python',
  looksFor: [...signs, ...programs].join(', '),
  detect: (tree) => [...signs, ...programs].some((file) => tree.files.has(file)),
  plan: planPython,
};

async function planPython(tree: SourceTree): Promise<BuildPlan> {
  if (!tree.files.has('Procfile')) throw new BuildpackError(noProcfile(tree));
  const toolchain = toolchainStep(await checkPythonVersion(tree));
  const install = await installSteps(tree);
  const early = install.filter(({ reads }) => reads !== 'source');
  const late = install.filter(({ reads }) => reads === 'source');
  return {
    name: 'Python',
    steps: [toolchain, ...early, { kind: 'source' }, ...late],
    processes: {},
    env: {
      PATH: install.length > 0 ? `${environment}/bin:${systemPath}` : systemPath,
      PYTHONUNBUFFERED: '1',
      LANG: 'C.UTF-8',
    },
  };
}

/** Made once a machine. Without apt's download user, whose switch needs capabilities that builds do not have. */
function toolchainStep(reason: string): RunStep {
  const options = '-o APT::Sandbox::User=root -o Dpkg::Options::=--force-unsafe-io';
  return {
    kind: 'run',
    title: `Installing Python ${pythonVersion} (${reason})`,
    command: [
      'echo "Fetching it from Debian, once for this machine"',
      'quietly() { "$@" > /tmp/apt.log 2>&1 || { cat /tmp/apt.log; exit 1; }; }',
      `quietly apt-get ${options} update`,
      `quietly apt-get ${options} install -y --no-install-recommends python3 python3-pip python-is-python3`,
      'apt-get clean',
      'rm -rf /tmp/apt.log /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log',
    ].join('\n'),
    reads: [],
    user: 'root',
    network: true,
    env: { DEBIAN_FRONTEND: 'noninteractive' },
  };
}

async function installSteps(tree: SourceTree): Promise<RunStep[]> {
  if (!tree.files.has('requirements.txt')) {
    await refuseOtherLists(tree);
    return [];
  }
  const requirements = await readRequirements(tree);
  const needsSource = requirements.needsSource;
  return [
    {
      kind: 'run',
      title: `Installing dependencies with pip${requirements.offline ? ' from the repository' : ''}`,
      command: `/usr/bin/python3 -m venv --without-pip ${environment}\n${pipCommand(requirements)}`,
      reads: needsSource ? 'source' : requirements.reads,
      user: 'app',
      network: !requirements.offline,
      ...(needsSource ? {} : { cached: 'requirements.txt has not changed' }),
    },
  ];
}

/** Debian's pip, working on the app's environment: that spares each app a pip of its own. */
function pipCommand({ vendored, offline }: Requirements): string {
  return [
    `/usr/bin/python3 -m pip --python ${environment}/bin/python install`,
    '--quiet --no-cache-dir --no-input --disable-pip-version-check',
    ...(offline ? ['--no-index'] : []),
    ...vendored.map((folder) => `--find-links ${folder}`),
    '-r requirements.txt',
  ].join(' ');
}

async function refuseOtherLists(tree: SourceTree): Promise<void> {
  const pyproject = (await tree.read('pyproject.toml')) ?? '';
  const dependent = /^dependencies\s*=\s*\[\s*[^\]\s]|^\[tool\.poetry\.dependencies\]/m.test(pyproject);
  const list = ['Pipfile', 'poetry.lock', 'uv.lock'].find((file) => tree.files.has(file));
  const found = list ?? (dependent ? 'pyproject.toml' : undefined);
  if (found === undefined) return;
  throw new BuildpackError(
    [
      `The dependencies stand in ${found}; this platform reads requirements.txt only. Make one and commit it:`,
      `  ${exportCommand(found)}`,
    ].join('\n'),
  );
}

function exportCommand(file: string): string {
  if (file === 'Pipfile') return 'pipenv requirements > requirements.txt';
  if (file === 'poetry.lock') return 'poetry export --output requirements.txt';
  if (file === 'uv.lock') return 'uv export --no-emit-project --output-file requirements.txt';
  return 'pip freeze > requirements.txt';
}

function noProcfile(tree: SourceTree): string {
  const program = programs.find((file) => tree.files.has(file)) ?? 'app.py';
  const command = program === 'manage.py' ? 'gunicorn PROJECT.wsgi' : `python ${program}`;
  return [
    'Nothing tells how to start this app. Add a file "Procfile" at the root with the line',
    `  web: ${command}`,
    'The web process must listen on the port in the environment variable PORT.',
  ].join('\n');
}
