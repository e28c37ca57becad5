import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { Cluster, NodeError } from '../../../lib/cluster/index.js';
import { resolveOptions } from '../../../lib/xmpp.options.js';
import { ClusterStage, Speaker } from './stage.js';

describe('nodes', () => {
  let stage: ClusterStage;
  const warnings: string[] = [];
  beforeEach(() => {
    warnings.length = 0;
    jest.spyOn(Logger.prototype, 'warn').mockImplementation((text: string) => void warnings.push(text));
    jest.spyOn(Logger.prototype, 'log').mockImplementation(() => {});
    stage = new ClusterStage();
  });
  afterEach(async () => {
    await stage.close();
    jest.restoreAllMocks();
  });

  describe('talk', () => {
    it('in order, both ways, whatever the size, until one ends it', async () => {
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
    });

    it('and lose nothing and double nothing on a bus that loses frames', async () => {
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
      expect(await theirs.heard.take()).toBe('open:hello');
      for (let i = 0; i < 50; i++) {
        expect(await theirs.heard.take()).toBe(`2:${i}`);
        expect(await mine.heard.take()).toBe(`2:${i}`);
      }
    });

    it('through a short time without the bus, which has forgotten everything', async () => {
      const [a, b] = [await stage.node(), await stage.node()];
      const [mine, theirs] = await stage.conversation(a, b);
      stage.hub.turn(true);
      mine.channel.send(2, Buffer.from('meanwhile'));
      await stage.pass(2000);
      expect([a.isConnected, b.isConnected]).toEqual([false, false]);
      stage.hub.turn(false, true);
      await stage.pass(200);
      expect(await theirs.heard.take((heard) => heard === '2:meanwhile')).toBeDefined();
      expect([mine.ends.size, theirs.ends.size]).toEqual([0, 0]);
      expect((await a.members()).length).toBe(2);
    });

    it('with more than one at once, and know who has asked', async () => {
      const [a, b, c] = [await stage.node(), await stage.node(), await stage.node()];
      b.serve('double', (data, channel, node) => {
        channel.send(2, Buffer.from(`${node === a.id ? 'a' : 'c'}${Number(data) * 2}`));
        channel.end();
        return { onMessage: () => {}, onEnd: () => {} };
      });
      const asked = [a.ask(b.id, 'double', Buffer.from('1')), c.ask(b.id, 'double', Buffer.from('2')), a.ask(b.id, 'double', Buffer.from('3'))];
      expect((await Promise.all(asked)).map(String)).toEqual(['a2', 'c4', 'a6']);
    });
  });

  describe('notice', () => {
    it('that a node is gone, within a moment, and that one never was', async () => {
      const [a, b] = [await stage.node(), await stage.node()];
      const [mine] = await stage.conversation(a, b);
      await stage.pass(3000);
      stage.hub.handlers.delete(b.id); // its connection to the bus is closed, as by SIGKILL
      await stage.pass(1500);
      expect(await mine.ends.take()).toBe('dead');
      stage.hub.frozen.add(b.id);
      stage.hub.nodes.delete(b.id);
      const stranger = new Speaker();
      a.begin('AAAAAAAA', 'echo', Buffer.alloc(0), stranger);
      await stage.pass(50);
      expect(await stranger.ends.take()).toBe('dead');
    });

    it('that a node has stopped: it takes what is published and says nothing', async () => {
      const [a, b] = [await stage.node(), await stage.node()];
      const [mine, theirs] = await stage.conversation(a, b);
      await stage.pass(3000);
      stage.hub.frozen.add(b.id);
      await stage.pass(4000);
      expect(mine.ends.size).toBe(0);
      stage.hub.nodes.delete(b.id); // its time is over
      await stage.pass(2500);
      expect(await mine.ends.take()).toBe('dead');
      // It wakes up, and learns that nobody waits for it any more.
      stage.hub.frozen.delete(b.id);
      theirs.channel.send(2, Buffer.from('I am back'));
      await stage.pass(1500);
      expect(await theirs.ends.take()).toBe('unreachable');
      const [again] = await stage.conversation(a, b);
      expect(again.ends.size).toBe(0);
    });

    it('that they stood still themselves: what they claimed may be another\'s', async () => {
      const node = await stage.node();
      let told = 0;
      node.onReconnected(() => told++);
      await stage.pass(5000);
      const before = told;
      // Nothing of it ran meanwhile, and its connection to the bus was not lost.
      stage.clock.tick(60_000);
      await stage.pass(2000);
      expect([told, node.isConnected]).toEqual([before + 1, true]);
    });

    it('that a link is quiet because nothing was said', async () => {
      const [a, b] = [await stage.node(), await stage.node()];
      const [mine] = await stage.conversation(a, b);
      mine.channel.end();
      await stage.pass(60_000);
      const [again, theirs] = await stage.conversation(a, b);
      await stage.pass(200);
      expect([again.ends.size, theirs.heard.size]).toEqual([0, 1]);
      expect(stage.hub.wire.length).toBeLessThan(20); // and was so quiet
    });

    it('that they are cut off from the bus: nobody is dead for that', async () => {
      const [a, b] = [await stage.node(), await stage.node()];
      const [mine, theirs] = await stage.conversation(a, b);
      stage.hub.turn(true, true);
      expect(a.isConnected).toBe(false);
      const other = new Speaker();
      a.begin(b.id, 'echo', Buffer.alloc(0), other);
      expect(await other.ends.take()).toBe('unreachable');
      await expect(a.ask(b.id, 'echo', Buffer.alloc(0))).rejects.toMatchObject({ name: 'NodeError', end: 'unreachable' });
      await stage.pass(6000);
      expect([await mine.ends.take(), await theirs.ends.take()]).toEqual(['unreachable', 'unreachable']);
    });

    it('that the others need a moment to come back to a bus that has forgotten them', async () => {
      const [a, b] = [await stage.node(), await stage.node()];
      stage.hub.turn(true, true);
      const handler = stage.hub.handlers.get(b.id)!;
      stage.hub.handlers.delete(b.id);
      stage.hub.turn(false);
      await stage.pass(50);
      const early = new Speaker();
      a.begin(b.id, 'echo', Buffer.alloc(0), early);
      await stage.pass(1000);
      expect(early.ends.size).toBe(0); // it may yet come
      stage.hub.handlers.set(b.id, handler);
      handler.onUp();
      await stage.pass(1500);
      expect((await stage.accepted.take()).heard.size).toBe(1);
      expect(early.ends.size).toBe(0);
    });
  });

  describe('have names', () => {
    it('of which no two are the same', async () => {
      const [a, b] = [await stage.node({ nodeId: 'web' }), await stage.node({ nodeId: 'web' })];
      await stage.pass(2000);
      const [first, second] = a.id < b.id ? [a, b] : [b, a];
      expect([first.nodeName, second.nodeName]).toEqual(['web', `web-${second.id}`]);
      expect(warnings.filter((text) => text.includes('another node is called web'))).toHaveLength(1);
      stage.hub.nodes.delete(first.id);
      await first.stop();
      await stage.pass(2000);
      expect(second.nodeName).toBe('web');
    });

    it('and identifiers that say whose something is, and are others after each start', async () => {
      const [a, b] = [await stage.node({ nodeId: 'web' }), await stage.node({ nodeId: 'web' })];
      expect(a.id).not.toBe(b.id);
      expect(b.nodeOf(a.mint('x'))).toBe(a.id);
      for (const other of ['x', 'alice@example.org', 'somebody.else@example.org', 'a.b', undefined]) expect(a.nodeOf(other)).toBeUndefined();
    });
  });

  it('leave: those who know it as dead are told nothing else, and it still hears the others out', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b);
    await b.leave();
    await stage.pass(1500);
    expect((await a.members()).map(({ id }) => id)).toEqual([a.id]);
    mine.channel.send(2, Buffer.from('still there?'));
    expect(await theirs.heard.take((heard) => heard.startsWith('2:'))).toBe('2:still there?');
    await stage.pass(200);
    await b.stop();
    await stage.pass(100);
    expect(await mine.ends.take()).toBe('dead');
  });

  it('are alone without the option: nothing is named after one, and nobody is asked', async () => {
    const alone = new Cluster(resolveOptions({ domains: ['example.org'] }), stage.clock);
    await alone.onModuleInit();
    expect([alone.enabled, alone.isConnected, alone.nodeName, alone.mint('x'), alone.nodeOf('AAAAAAAA.x')]).toEqual([false, true, undefined, 'x', undefined]);
    expect(await alone.members()).toEqual([]);
    await expect(alone.ask('AAAAAAAA', 'echo', Buffer.alloc(0))).rejects.toThrow(NodeError);
    await alone.stop();
  });
});
