import { jest } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { HealthCheck, HealthCheckService, TerminusModule } from '@nestjs/terminus';
import { EmbeddedUpstream, ManualClock, XmppHealth, XmppHealthIndicator, type XmppUpstream } from 'nestjs-xmpp';
import { PLATFORMS, startApp, type TestApp } from '../support/app.js';

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly xmpp: XmppHealthIndicator,
  ) {}

  @Get()
  @HealthCheck()
  check() {
    return this.health.check([() => this.xmpp.isHealthy('xmpp')]);
  }
}

/** An upstream that the test takes away, and that counts its probes. */
class Flaky implements XmppUpstream {
  readonly name = 'flaky';
  probes = 0;
  fault: string | undefined;
  hangs = false;
  private readonly real: EmbeddedUpstream;

  constructor(domain: string) {
    this.real = new EmbeddedUpstream({ domains: [domain] });
  }
  open: XmppUpstream['open'] = (request, handler) => this.real.open(request, handler);
  async probe(): Promise<void> {
    this.probes++;
    if (this.hangs) await new Promise(() => {});
    if (this.fault) throw new Error(this.fault);
  }
}

describe.each(PLATFORMS)('the health indicator on %s', (platform) => {
  let gateway: TestApp;
  const upstreams = { 'example.org': new Flaky('example.org'), 'example.net': new Flaky('example.net') };

  beforeAll(async () => {
    @Module({ imports: [TerminusModule.forRoot({ logger: false })], controllers: [HealthController] })
    class HealthModule {}
    const upstream = (domain: string) => upstreams[domain as keyof typeof upstreams];
    gateway = await startApp({
      platform,
      options: { domains: ['example.org', 'example.net'], upstream },
      imports: [HealthModule],
      global: true,
    });
  });
  afterAll(() => gateway.close());
  const check = async () => {
    const response = await fetch(`${gateway.url}/health`);
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };

  it('is up, then degraded, then down, as the upstreams are', async () => {
    const clock = new ManualClock();
    Object.assign(gateway.app.get(XmppHealth), { clock });
    const details = { sessions: 0, upstreams: { 'example.org': 'up', 'example.net': 'up' } };
    expect(await check()).toEqual({
      status: 200,
      body: { status: 'ok', info: { xmpp: { status: 'up', ...details } }, error: {}, details: { xmpp: { status: 'up', ...details } } },
    });
    upstreams['example.net'].fault = 'ECONNREFUSED';
    clock.tick(6000);
    const degraded = await check();
    expect(degraded).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect(degraded.body['info']).toEqual({
      xmpp: { status: 'degraded', sessions: 0, upstreams: { 'example.org': 'up', 'example.net': 'ECONNREFUSED' } },
    });
    upstreams['example.org'].fault = 'ETIMEDOUT';
    clock.tick(6000);
    expect(await check()).toMatchObject({ status: 503, body: { status: 'error', error: { xmpp: { status: 'down' } } } });
    for (const upstream of Object.values(upstreams)) upstream.fault = undefined;
  });

  it('probes each upstream at most once in five seconds, and waits no longer than three for it', async () => {
    const clock = new ManualClock();
    const health = gateway.app.get(XmppHealth);
    Object.assign(health, { clock });
    clock.tick(60_000);
    const before = upstreams['example.org'].probes;
    upstreams['example.org'].hangs = true;
    const [first, second] = [health.check(), health.check()];
    clock.tick(3100);
    for (const report of await Promise.all([first, second])) {
      expect(report).toMatchObject({ status: 'degraded', details: { upstreams: { 'example.org': 'no answer' } } });
    }
    expect(upstreams['example.org'].probes - before).toBe(1);
    upstreams['example.org'].hangs = false;
    clock.tick(2000);
    expect((await health.check()).status).toBe('up');
    expect(upstreams['example.org'].probes - before).toBe(2);
  });
});

describe('the health indicator for version 11 of terminus', () => {
  it('says up for what that version would leave out', async () => {
    class HealthIndicatorService {
      check() {
        return { up() {}, down() {} };
      }
    }
    jest.unstable_mockModule('@nestjs/terminus', () => ({ HealthIndicatorService }));
    const report = { status: 'degraded', details: { sessions: 1, upstreams: { 'example.org': 'ECONNREFUSED' } } };
    const indicator = new XmppHealthIndicator({ check: async () => report } as unknown as XmppHealth);
    expect(await indicator.isHealthy()).toEqual({ xmpp: { status: 'up', ...report.details } });
  });
});
