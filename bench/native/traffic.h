// Who sends what to whom. Every message is numbered; what is missing, comes twice or out of order is counted as lost.
#pragma once

#include <deque>

#include "bosh.h"
#include "websocket.h"

// A phase of traffic, from its first message until the last one has arrived.
struct Traffic {
  string id;
  // Bytes of a message as a server sees it, without the declaration of its namespace.
  size_t size = 300;
  uint64_t startedAt = 0;
  // Messages are sent until then, or until there were so many.
  uint64_t until = 0;
  uint64_t most = 0;
  // Messages that may be under way, one of each flow in turn; 0: each flow has its own window.
  size_t concurrency = 0;
  size_t cursor = 0;
  size_t firstFlow = 0;
  size_t flowCount = 0;
  uint64_t sent = 0;
  uint64_t expected = 0;
  uint64_t delivered = 0;
  uint64_t disordered = 0;
  uint64_t lastDelivery = 0;
  // Nanoseconds without any delivery after which what is missing counts as lost.
  uint64_t patience = 0;
  bool timed = false;
  bool done = false;
  std::vector<uint32_t> latencies;

  bool sending(uint64_t now) const { return most > 0 ? sent < most : now < until; }
  uint64_t lost() const { return expected - delivered + disordered; }
};

// Messages from one session to one or many.
struct Flow {
  Traffic& traffic;
  size_t from;
  // Those who get each message: sessions `first` to `first + receivers - 1`.
  size_t first;
  size_t receivers;
  // The receiver sends it back; only then it is done.
  bool echo;
  size_t window;
  string to;
  uint32_t sent = 0;
  uint64_t arrived = 0;
  uint32_t echoed = 0;
  // The number that each receiver awaits.
  std::vector<uint32_t> next;
  // When the messages under way were sent, by number modulo the window.
  std::vector<uint64_t> times;

  bool mayGo() const { return echo ? sent < echoed + window : uint64_t(sent) * receivers < arrived + window * receivers; }
};

// One message of exactly `size` bytes beside the declaration of its namespace.
inline const string& compose(string_view from, string_view to, size_t flow, uint32_t number, char kind, size_t size) {
  static string text;
  static const string_view declaration = " xmlns=\"jabber:client\"";
  static const string padding(262144, 'x');
  const string digits = std::to_string(number);
  text.assign("<message").append(declaration).append(" to=\"").append(to).append("\" from=\"").append(from);
  text.append("\" type=\"chat\" id=\"m").append(digits).append("\"><body>").append(std::to_string(flow)).append(":").append(digits);
  text.append(":").push_back(kind);
  text.append("|");
  static const string_view end = "</body></message>";
  const size_t used = text.size() - declaration.size() + end.size();
  if (size > used) text.append(padding, 0, size - used);
  return text.append(end);
}

class Router {
 public:
  Router(std::deque<std::unique_ptr<Session>>& sessions) : sessions_(sessions) {}

  std::deque<Traffic> traffics;
  // Messages that came to somebody whom they were not sent to, or that nobody numbered.
  uint64_t strays = 0;
  uint64_t now = 0;

  size_t addFlow(Flow&& flow) {
    const size_t number = flows_.size();
    sessions_[flow.from]->flows.push_back(number);
    flow.next.assign(flow.receivers, 0);
    if (flow.traffic.timed) flow.times.assign(flow.window, 0);
    flows_.push_back(std::move(flow));
    return number;
  }

  void start(Traffic& traffic) {
    if (traffic.concurrency > 0) return advance(traffic);
    for (size_t i = 0; i < traffic.flowCount; i++) pump(traffic.firstFlow + i);
  }

  // A sender that is gone sends no more; what it has not sent is not waited for.
  void abandon(Session& session) {
    for (const size_t flow : session.flows) flows_[flow].traffic.until = flows_[flow].traffic.most = 0;
  }

  void fill(Session& session) {
    for (const size_t flow : session.flows) {
      if (flows_[flow].traffic.concurrency == 0) pump(flow);
    }
  }

  void arrived(Session& session, string_view body) {
    size_t at = 0;
    const uint64_t number = digits(body, at);
    if (at == 0 || at >= body.size() || body[at] != ':' || number >= flows_.size()) return void(strays++);
    const size_t start = ++at;
    const uint32_t seq = uint32_t(digits(body, at));
    if (at == start || at + 1 >= body.size()) return void(strays++);
    Flow& flow = flows_[number];
    Traffic& traffic = flow.traffic;
    if (body[at + 1] == 'e') {
      if (session.number != flow.from) return void(strays++);
      if (seq != flow.echoed) return void(traffic.disordered++);
      flow.echoed++;
    } else {
      if (session.number < flow.first || session.number >= flow.first + flow.receivers) {
        // Some servers send to everybody, the sender too.
        if (session.number != flow.from) strays++;
        return;
      }
      uint32_t& next = flow.next[session.number - flow.first];
      // A gap is counted here, and what is missing at the end. What comes too late or twice is not delivered.
      if (seq != next) traffic.disordered++;
      if (seq < next) return;
      next = seq + 1;
      flow.arrived++;
    }
    traffic.delivered++;
    traffic.lastDelivery = now;
    if (flow.echo && body[at + 1] != 'e') {
      return session.send(compose(session.jid, sessions_[flow.from]->jid, number, seq, 'e', traffic.size));
    }
    if (traffic.timed) traffic.latencies.push_back(uint32_t(net::nanoseconds() - flow.times[seq % flow.window]));
    if (traffic.concurrency > 0) advance(traffic);
    else pump(number);
  }

 private:
  static uint64_t digits(string_view text, size_t& at) {
    uint64_t number = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; at++) number = number * 10 + uint64_t(text[at] - '0');
    return number;
  }

  void pump(size_t number) {
    Flow& flow = flows_[number];
    Session& sender = *sessions_[flow.from];
    while (flow.traffic.sending(now) && flow.mayGo() && sender.hasRoom()) sendOne(number, flow, sender);
  }

  // In turn, one message of each flow.
  void advance(Traffic& traffic) {
    while (traffic.sending(now) && traffic.expected - traffic.delivered < traffic.concurrency) {
      const size_t number = traffic.firstFlow + traffic.cursor++ % traffic.flowCount;
      Flow& flow = flows_[number];
      sendOne(number, flow, *sessions_[flow.from]);
    }
  }

  void sendOne(size_t number, Flow& flow, Session& sender) {
    Traffic& traffic = flow.traffic;
    const uint32_t seq = flow.sent++;
    traffic.sent++;
    traffic.expected += flow.echo ? 2 : flow.receivers;
    if (traffic.timed) flow.times[seq % flow.window] = net::nanoseconds();
    sender.send(compose(sender.jid, flow.to, number, seq, 'm', traffic.size));
  }

  std::deque<std::unique_ptr<Session>>& sessions_;
  std::deque<Flow> flows_;
};
