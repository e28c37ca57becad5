import { Logger } from '@nestjs/common';
import { jest } from '@jest/globals';
import { FrameType, Keys, newLinkId, readHeader, type FrameHeader } from '../../../lib/cluster/sealing.js';
import { ClusterStage, SECRET, Speaker } from './stage.js';

const KEY = 'a-shared-key-of-a-user-0123456789';

describe('what goes from node to node', () => {
  let stage: ClusterStage;
  beforeEach(() => {
    stage = new ClusterStage();
  });
  afterEach(async () => {
    await stage.close();
    jest.restoreAllMocks();
  });

  it('carries nothing in clear but who, to whom and how much', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b, KEY);
    mine.channel.send(2, Buffer.from(KEY));
    expect(await theirs.heard.take((heard) => heard.startsWith('2:'))).toBe(`2:${KEY}`);
    const wire = Buffer.concat(stage.hub.wire.map(({ frame }) => frame)).toString('latin1');
    expect(wire).not.toContain(KEY);
    expect(wire).not.toContain('echo');
    expect(wire).not.toContain(SECRET);
  });

  it('is believed only when it is whole: not one bit may be another', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b);
    await theirs.heard.take();
    const frames: Buffer[] = [];
    stage.hub.carries = (to, frame) => to !== b.id || frames.push(frame) === 0;
    mine.channel.send(2, Buffer.from('!'));
    await stage.pass(50);
    const [frame] = frames;
    for (let i = 0; i < frame!.length; i++) {
      const forged = Buffer.from(frame!);
      forged[i]! ^= 1;
      stage.hub.deliver(b.id, forged);
    }
    for (let length = 0; length < frame!.length; length += 7) stage.hub.deliver(b.id, frame!.subarray(0, length));
    expect(theirs.heard.size).toBe(0);
    stage.hub.deliver(b.id, frame!);
    expect(await theirs.heard.take()).toBe('2:!');
  });

  it('is taken once: what is sent again says nothing', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b);
    mine.channel.send(2, Buffer.from('once'));
    await theirs.heard.take((heard) => heard === '2:once');
    await stage.pass(200);
    const before = theirs.heard.size;
    for (const { to, frame } of [...stage.hub.wire]) stage.hub.deliver(to, frame);
    await stage.pass(1000);
    expect(theirs.heard.size).toBe(before);
    expect([mine.ends.size, theirs.ends.size, stage.accepted.size]).toEqual([0, 0, 0]);
  });

  it('is of its link: what was said in another one, or to another node, or by another, is nothing here', async () => {
    const [a, b, c] = [await stage.node(), await stage.node(), await stage.node()];
    await stage.conversation(a, b);
    await stage.conversation(a, c);
    await stage.pass(200);
    const said = [...stage.hub.wire];
    for (const { frame } of said) for (const node of [a, b, c]) stage.hub.deliver(node.id, frame);
    // After a new start of the same node, too: it has another identifier, and links have other keys.
    const again = await stage.node();
    for (const { frame } of said) stage.hub.deliver(again.id, frame);
    await stage.pass(1000);
    expect(stage.accepted.size).toBe(0);
  });

  it('is refused from a node with another secret, which is said once', async () => {
    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => {});
    const [a, b] = [await stage.node(), await stage.node({ secret: 'another secret altogether' })];
    const mine = new Speaker();
    a.begin(b.id, 'echo', Buffer.from('hello'), mine);
    await stage.pass(10_000);
    expect(stage.accepted.size).toBe(0);
    expect(await mine.ends.take()).toBe('unreachable');
    expect(warn.mock.calls.filter(([text]) => String(text).includes('cluster.secret'))).toHaveLength(1);
    expect(JSON.stringify(warn.mock.calls)).not.toContain(SECRET);
  });

  it('is bounded: a message that grows beyond every limit ends the link', async () => {
    const error = jest.spyOn(Logger.prototype, 'error').mockImplementation(() => {});
    const [a, b] = [await stage.node(), await stage.node()];
    const [mine, theirs] = await stage.conversation(a, b);
    mine.channel.send(2, Buffer.alloc(20_000_000));
    await stage.pass(3000);
    expect(await theirs.ends.take()).toBe('unreachable');
    expect(await mine.ends.take()).toBe('unreachable');
    expect(String(error.mock.calls[0]?.[1])).toContain('message too large');
  });

  it('is bounded: who is asked for more links than it can remember forgets the oldest that nobody uses', async () => {
    const [a, b] = [await stage.node(), await stage.node()];
    const keys = new Keys(Buffer.from(SECRET));
    for (let i = 0; i < 2000; i++) {
      const header: FrameHeader = { type: FrameType.Hello, from: a.id, to: b.id, link: newLinkId(), counter: 0, sequence: 0, ack: 0 };
      stage.hub.deliver(b.id, keys.greeting.close(header, Buffer.alloc(0)));
    }
    expect((b as unknown as { offers: Map<string, unknown> }).offers.size).toBe(256);
    const [mine, theirs] = await stage.conversation(a, b);
    expect([mine.ends.size, theirs.heard.size]).toEqual([0, 1]);
  });

  it('is no frame for what is too short, or of another version', () => {
    expect(readHeader(Buffer.alloc(0))).toBeUndefined();
    expect(readHeader(Buffer.alloc(200))).toBeUndefined();
    expect(readHeader(Buffer.alloc(20, 1))).toBeUndefined();
  });
});
