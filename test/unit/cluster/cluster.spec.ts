import { ClusterStage } from './stage.js';

describe('two nodes', () => {
  let stage: ClusterStage;
  beforeEach(() => (stage = new ClusterStage()));
  afterEach(() => stage.close());

  it('talk: in order, both ways, whatever the size, until one ends it', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b, 'Hello!');
    expect(await theirs.heard.take()).toBe('open:Hello!');
    const large = 'x'.repeat(1_000_000);
    mine.channel.send(2, Buffer.from('1'));
    mine.channel.send(3, Buffer.from(large));
    theirs.channel.send(4, Buffer.from('a'));
    expect(await theirs.heard.take()).toBe('2:1');
    expect(await theirs.heard.take()).toBe(`3:${large}`);
    expect(await mine.heard.take()).toBe('4:a');
    mine.channel.end();
    expect(await theirs.ends.take()).toBe('ended');
    await stage.pass(200);
    expect(mine.channel.hasArrived).toBe(true);
  });

  it('lose nothing and double nothing on a bus that loses frames', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b);
    let count = 0;
    stage.hub.carries = () => ++count % 3 !== 0;
    for (let i = 0; i < 50; i++) {
      mine.channel.send(2, Buffer.from(String(i)));
      theirs.channel.send(2, Buffer.from(String(i)));
      await stage.pass(100);
    }
    stage.hub.carries = () => true;
    await stage.pass(20_000);
    await theirs.heard.take(); // what it was opened with
    for (let i = 0; i < 50; i++) {
      expect(await theirs.heard.take()).toBe(`2:${i}`);
      expect(await mine.heard.take()).toBe(`2:${i}`);
    }
    expect(mine.channel.hasArrived).toBe(true);
    expect(theirs.channel.hasArrived).toBe(true);
  });
});
