import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseChanges } from '../../../runtime/images/config-changes.ts';

describe('parseChanges()', () => {
  it('parseChanges() reads every instruction that is about a config', () => {
    const changes = [
      'CMD ["serve", "--port=80"]',
      'entrypoint /bin/server $A',
      'ENV A=1 B="two words" C=a\\ b',
      'ENV OLD one value',
      'LABEL app=demo "tier"=\'web 1\'',
      'EXPOSE 80 53/udp',
      'VOLUME ["/data", "/more"]\nVOLUME /third',
      'USER 1000:1000',
      'WORKDIR /app',
      'STOPSIGNAL SIGINT',
      'ONBUILD RUN make',
    ];
    assert.deepEqual(parseChanges(changes), {
      Cmd: ['serve', '--port=80'],
      Entrypoint: ['/bin/sh', '-c', '/bin/server $A'],
      Env: ['A=1', 'B=two words', 'C=a b', 'OLD=one value'],
      Labels: { app: 'demo', tier: 'web 1' },
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Volumes: { '/data': {}, '/more': {}, '/third': {} },
      User: '1000:1000',
      WorkingDir: '/app',
      StopSignal: 'SIGINT',
      OnBuild: ['RUN make'],
    });
  });

  it('parseChanges() refuses what is no change of a config, or malformed', () => {
    for (const change of [
      'RUN id',
      'FROM x',
      'ENV =1',
      'ENV A',
      'EXPOSE 99999',
      'EXPOSE x',
      'WORKDIR a',
      'USER',
    ]) {
      assert.throws(() => parseChanges([change]), { code: 'invalid' }, change);
    }
  });
});
