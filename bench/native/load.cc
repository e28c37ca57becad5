// Plays the clients: any number of them on one core, by commands on its input, one a line, each answered by one line of JSON.
//
//   login id= count= [concurrency=20] [group=] [shared=]    new sessions, with users that count on
//   traffic id= flows= from= first= [senders=] [receivers=1] [to=jid|group|ADDRESS] [size=300] seconds=|messages=
//           [window=1] [concurrency=0] [echo=0] [timed=0] [patience=20]
//   progress id= of=                                        how far a traffic is
//   stop of=                                                it sends no more
//   stall session=, resume session=                         reads no more, and reads again
//   logout id=                                              all of them
//
// `group=5`: each five are a group, which the server sends copies to; `shared=5`: each five are on one stream (Shared BOSH).
#include <cmath>
#include <map>
#include <sstream>

#include "traffic.h"

namespace {

// The k=v pairs of a command.
class Arguments {
 public:
  explicit Arguments(std::istringstream& line) {
    for (string pair; line >> pair;) {
      const size_t equals = pair.find('=');
      if (equals != string::npos) values_[pair.substr(0, equals)] = pair.substr(equals + 1);
    }
  }
  string text(const string& name, const string& otherwise = "") const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : found->second;
  }
  double number(const string& name, double otherwise = 0) const {
    const auto found = values_.find(name);
    return found == values_.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
  }
  size_t count(const string& name, size_t otherwise = 0) const { return size_t(number(name, double(otherwise))); }

 private:
  std::map<string, string> values_;
};

// Microseconds, of nanoseconds.
double quantile(std::vector<uint32_t>& values, double q) {
  if (values.empty()) return 0;
  const size_t at = std::min(values.size() - 1, size_t(q * double(values.size())));
  std::nth_element(values.begin(), values.begin() + long(at), values.end());
  return double(values[at]) / 1000;
}

string quoted(const string& text) {
  string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json.push_back('\\');
    json.push_back(uint8_t(c) < 32 ? ' ' : c);
  }
  return json + "\"";
}

class Load final : public Audience, public net::Watched {
 public:
  explicit Load(const Target& target) : target_(target), router_(sessions_) {
    fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
    loop_.add(STDIN_FILENO, EPOLLIN, this);
  }

  [[noreturn]] void run() {
    for (;;) {
      loop_.turn(timeout());
      router_.now = net::nanoseconds();
      look();
    }
  }

 private:
  struct Login {
    string id;
    size_t first = 0;
    // In which order; those from `barrier` on wait until the ones before are there.
    std::vector<size_t> order;
    size_t barrier = 0;
    size_t started = 0;
    size_t ready = 0;
    size_t failed = 0;
    size_t concurrency = 20;
    uint64_t startedAt = 0;
    string error;
    std::vector<uint32_t> latencies;
  };

  // Commands.

  void onEvents(uint32_t) override {
    char bytes[4096];
    const ssize_t length = read(STDIN_FILENO, bytes, sizeof bytes);
    if (length == 0) std::_Exit(0);
    if (length < 0) return;
    input_.append(bytes, size_t(length));
    for (size_t end; (end = input_.find('\n')) != string::npos;) {
      std::istringstream line(input_.substr(0, end));
      input_.erase(0, end + 1);
      string command;
      line >> command;
      router_.now = net::nanoseconds();
      obey(command, Arguments(line));
    }
  }

  void obey(const string& command, const Arguments& arguments) {
    if (command == "login") return login(arguments);
    if (command == "traffic") return traffic(arguments);
    if (command == "logout") return logout(arguments);
    if (command == "progress" || command == "stop") {
      for (Traffic& traffic : router_.traffics) {
        if (traffic.id != arguments.text("of")) continue;
        if (command == "progress") report(traffic, arguments.text("id"));
        else traffic.until = traffic.most = 0;
      }
      return;
    }
    if (command == "stall" || command == "resume") {
      return sessions_.at(arguments.count("session"))->setReading(command == "resume");
    }
    std::fprintf(stderr, "no such command: %s\n", command.c_str());
    std::exit(1);
  }

  void login(const Arguments& arguments) {
    login_ = Login();
    login_.id = arguments.text("id");
    login_.first = sessions_.size();
    login_.concurrency = arguments.count("concurrency", 20);
    login_.startedAt = router_.now;
    const size_t count = arguments.count("count");
    const size_t group = arguments.count("group");
    const size_t shared = arguments.count("shared", 1);
    for (size_t i = 0; i < count; i++) {
      const size_t number = sessions_.size();
      std::unique_ptr<Session> session;
      if (target_.transport == "bosh") session = std::make_unique<BoshSession>(loop_, *this, target_, number);
      else session = std::make_unique<WebSocketSession>(loop_, *this, target_, number);
      // Users are never used twice, so that nobody is thrown out by his successor.
      session->user = "u" + std::to_string(users_++);
      if (group > 0) session->resource = "g" + std::to_string(i / group);
      if (shared > 1) session->key = "benchmark-of-a-shared-key-" + std::to_string(number - i % shared);
      sessions_.push_back(std::move(session));
      if (i % shared == 0) login_.order.push_back(number);
    }
    login_.barrier = login_.order.size();
    for (size_t i = 0; shared > 1 && i < count; i++) {
      if (i % shared != 0) login_.order.push_back(login_.first + i);
    }
    startLogins();
  }

  void startLogins() {
    Login& login = login_;
    while (login.started < login.order.size() && login.started - login.ready - login.failed < login.concurrency) {
      if (login.started >= login.barrier && login.ready < login.barrier) break;
      Session& session = *sessions_[login.order[login.started++]];
      session.startedAt = net::nanoseconds();
      session.start();
    }
    // Those beyond the barrier never start when one before it failed.
    const bool blocked = login.started == login.barrier && login.ready < login.barrier;
    const bool settled = login.ready + login.failed == login.started && (login.started == login.order.size() || blocked);
    if (login.id.empty() || !settled) return;
    std::printf("{\"id\":%s,\"ready\":%zu,\"failed\":%zu,\"error\":%s,\"seconds\":%.6f,\"p50\":%.1f,\"p99\":%.1f}\n", quoted(login.id).c_str(),
                login.ready, login.order.size() - login.ready, quoted(login.error).c_str(), double(net::nanoseconds() - login.startedAt) / 1e9,
                quantile(login.latencies, 0.5), quantile(login.latencies, 0.99));
    std::fflush(stdout);
    login.id.clear();
  }

  void traffic(const Arguments& arguments) {
    router_.traffics.emplace_back();
    Traffic& traffic = router_.traffics.back();
    traffic.id = arguments.text("id");
    traffic.size = arguments.count("size", 300);
    traffic.startedAt = traffic.lastDelivery = router_.now;
    traffic.until = router_.now + uint64_t(arguments.number("seconds") * 1e9);
    traffic.most = arguments.count("messages");
    traffic.concurrency = arguments.count("concurrency");
    traffic.patience = uint64_t(arguments.number("patience", 20) * 1e9);
    traffic.timed = arguments.count("timed") > 0;
    traffic.flowCount = arguments.count("flows", 1);
    const size_t senders = arguments.count("senders", traffic.flowCount);
    const size_t receivers = arguments.count("receivers", 1);
    const string to = arguments.text("to", "jid");
    for (size_t i = 0; i < traffic.flowCount; i++) {
      const size_t first = arguments.count("first") + i * receivers;
      if (first + receivers > sessions_.size()) {
        std::fprintf(stderr, "traffic %s: there are %zu sessions only\n", traffic.id.c_str(), sessions_.size());
        std::exit(1);
      }
      const string address = to == "jid" ? sessions_[first]->jid : to == "group" ? "g" + std::to_string(i) + "@" + target_.domain : to;
      const size_t flow = router_.addFlow(Flow{traffic, arguments.count("from") + i % senders, first, receivers, arguments.count("echo") > 0,
                                               arguments.count("window", 1), address, 0, 0, 0, {}, {}});
      if (i == 0) traffic.firstFlow = flow;
    }
    router_.start(traffic);
  }

  void logout(const Arguments& arguments) {
    logout_ = arguments.text("id");
    for (auto& session : sessions_) {
      if (!session->over) session->leave();
    }
    loggedOut();
  }

  void loggedOut() {
    if (logout_.empty()) return;
    for (const auto& session : sessions_) {
      if (!session->over) return;
    }
    std::printf("{\"id\":%s}\n", quoted(logout_).c_str());
    std::fflush(stdout);
    logout_.clear();
    cleared_ = true;
  }

  // What becomes of it.

  int timeout() const {
    for (const Traffic& traffic : router_.traffics) {
      if (!traffic.done) return 2;
    }
    return -1;
  }

  void look() {
    if (cleared_) {
      sessions_.clear();
      cleared_ = false;
    }
    for (Traffic& traffic : router_.traffics) {
      if (traffic.done) continue;
      const bool hopeless = router_.now > std::max(traffic.lastDelivery, traffic.until) + traffic.patience;
      if (!hopeless && (traffic.sending(router_.now) || traffic.delivered < traffic.expected)) continue;
      traffic.done = true;
      report(traffic, traffic.id);
    }
  }

  void report(Traffic& traffic, const string& id) {
    const uint64_t end = traffic.done ? traffic.lastDelivery : router_.now;
    std::printf("{\"id\":%s,\"done\":%s,\"sent\":%llu,\"delivered\":%llu,\"lost\":%llu,\"gone\":%zu,\"error\":%s,\"seconds\":%.6f", quoted(id).c_str(),
                traffic.done ? "true" : "false", static_cast<unsigned long long>(traffic.sent), static_cast<unsigned long long>(traffic.delivered),
                static_cast<unsigned long long>(traffic.done ? traffic.lost() + router_.strays : 0), gone_, quoted(error_).c_str(),
                double(end - traffic.startedAt) / 1e9);
    if (traffic.timed) std::printf(",\"p50\":%.1f,\"p99\":%.1f", quantile(traffic.latencies, 0.5), quantile(traffic.latencies, 0.99));
    std::printf("}\n");
    std::fflush(stdout);
  }

  void onReady(Session& session) override {
    login_.latencies.push_back(uint32_t(std::min<uint64_t>(net::nanoseconds() - session.startedAt, UINT32_MAX)));
    login_.ready++;
    startLogins();
  }

  void onMessage(Session& session, string_view body) override { router_.arrived(session, body); }

  void onRoom(Session& session) override { router_.fill(session); }

  void onGone(Session& session, const string& reason) override {
    if (!login_.id.empty() && session.jid.empty()) {
      login_.failed++;
      login_.error = reason;
      startLogins();
    } else if (!reason.empty()) {
      gone_++;
      error_ = reason;
      router_.abandon(session);
    }
    loggedOut();
  }

  net::Loop loop_;
  const Target& target_;
  std::deque<std::unique_ptr<Session>> sessions_;
  Router router_;
  Login login_;
  string logout_;
  bool cleared_ = false;
  string input_;
  size_t users_ = 0;
  size_t gone_ = 0;
  string error_;
};

}  // namespace

// load TRANSPORT PORT PATH [DOMAIN] [ROUTE]
int main(int count, char** values) {
  if (count < 4) {
    std::fprintf(stderr, "usage: load ws|ws-raw|bosh PORT PATH [DOMAIN] [ROUTE]\n");
    return 2;
  }
  net::raiseFileLimit();
  Target target;
  target.transport = values[1];
  target.port = uint16_t(std::atoi(values[2]));
  target.path = values[3];
  if (count > 4) target.domain = values[4];
  if (count > 5) target.route = values[5];
  Load load(target);
  load.run();
}
