/**
 * Loaded into a Node process that is looked into (`node --import`): collects garbage, tells its memory and takes CPU profiles
 * when asked over the channel. Only for measurements of memory and for profiles; nothing else is measured with it.
 */
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let profiler;

function post(method, params) {
  return new Promise((resolve, reject) => {
    profiler.post(method, params, (error, result) => (error ? reject(error) : resolve(result)));
  });
}

const answers = {
  /** As if memory were short, so that what is left is what is held. */
  async collect() {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    for (let i = 0; i < 3; i++) {
      await collect({ execution: 'async', flavor: 'last-resort' });
    }
    return process.memoryUsage();
  },
  async profile() {
    profiler = new Session();
    profiler.connect();
    await post('Profiler.enable');
    await post('Profiler.setSamplingInterval', { interval: 200 });
    await post('Profiler.start');
    return true;
  },
  async save({ file }) {
    const { profile } = await post('Profiler.stop');
    profiler.disconnect();
    writeFileSync(file, JSON.stringify(profile));
    return true;
  },
};

process.on('message', (question) => {
  answers[question.what](question).then(
    (answer) => process.send(answer),
    (error) => process.send({ error: String(error) }),
  );
});
process.channel?.unref();
