// An XMPP server that does as little as one can: streams, SASL PLAIN with any password, resource binding, and messages
// from one to another. Users are named u0, u1, ...; `u7@...` is delivered to the last who logged in as u7. Who binds a
// resource g3 is in group 3, and a message to `g3@...` goes to all of them. Prints "listening PORT"; ends with its input.
//
//   server [drop N | twice N | swap N]     spoils each Nth message, to see that this is noticed
#include <unordered_map>

#include "net.h"

namespace {

using std::string;
using std::string_view;

class Stream;

std::vector<Stream*> users;
std::unordered_map<unsigned, std::vector<Stream*>> groups;
const string DOMAIN_NAME = "localhost";
// What is done to each Nth message; 0: nothing.
string spoiling;
unsigned long spoiled = 0;

// The value of the attribute in the first tag, of whatever quotes; empty when it has none.
string_view attribute(string_view tag, string_view name) {
  size_t at = 0;
  while ((at = tag.find(name, at)) != string_view::npos) {
    const size_t after = at + name.size();
    if (at > 0 && tag[at - 1] == ' ' && after + 1 < tag.size() && tag[after] == '=') {
      const char quote = tag[after + 1];
      const size_t end = tag.find(quote, after + 2);
      return end == string_view::npos ? string_view() : tag.substr(after + 2, end - after - 2);
    }
    at = after;
  }
  return {};
}

string_view between(string_view text, string_view open, string_view close) {
  const size_t from = text.find(open);
  if (from == string_view::npos) return {};
  const size_t to = text.find(close, from + open.size());
  return to == string_view::npos ? string_view() : text.substr(from + open.size(), to - from - open.size());
}

// The number in a name such as u12; -1 when it has none.
long numberOf(string_view name) {
  if (name.size() < 2 || name[1] < '0' || name[1] > '9') return -1;
  long number = 0;
  for (size_t i = 1; i < name.size() && name[i] >= '0' && name[i] <= '9'; i++) number = number * 10 + (name[i] - '0');
  return number;
}

string fromBase64(string_view text) {
  static const string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  string bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : text) {
    const size_t digit = digits.find(c);
    if (digit == string_view::npos) break;
    bits = bits << 6 | unsigned(digit);
    if ((count += 6) >= 8) bytes.push_back(char(bits >> (count -= 8) & 0xff));
  }
  return bytes;
}

class Stream final : public net::Connection {
 public:
  using Connection::Connection;

  void deliver(string_view start, string_view rest) {
    send(start);
    send(rest);
  }

 private:
  void onData(const char* data, size_t length) override {
    if (rest_.empty()) {
      const size_t used = take(string_view(data, length));
      if (open()) rest_.assign(data + used, length - used);
      return;
    }
    rest_.append(data, length);
    const size_t used = take(rest_);
    rest_.erase(0, used);
  }

  void onClose() override {
    leave();
    loop_.bury(std::unique_ptr<Watched>(this));
  }

  void leave() {
    if (user_ >= 0 && users[size_t(user_)] == this) users[size_t(user_)] = nullptr;
    if (group_ >= 0) {
      auto& members = groups[unsigned(group_)];
      for (size_t i = 0; i < members.size(); i++) {
        if (members[i] == this) members.erase(members.begin() + long(i--));
      }
    }
  }

  // Handles every complete element; returns how much of the text that was.
  size_t take(string_view text) {
    size_t at = 0;
    while (open() && at < text.size()) {
      if (text[at] != '<') {
        at++;
        continue;
      }
      const string_view left = text.substr(at);
      const size_t length = measure(left);
      if (length == 0) break;
      handle(left.substr(0, length));
      at += length;
    }
    return open() ? at : text.size();
  }

  // The length of the first element or tag; 0 when it is not complete.
  size_t measure(string_view text) {
    const auto upTo = [&](string_view end) {
      const size_t found = text.find(end, seen_ > end.size() ? seen_ - end.size() : 0);
      if (found == string_view::npos) {
        seen_ = text.size();
        return size_t(0);
      }
      seen_ = 0;
      return found + end.size();
    };
    if (text.substr(0, 8) == "<message") return upTo("</message>");
    if (text.substr(0, 3) == "<iq") return upTo("</iq>");
    if (text.substr(0, 5) == "<auth") return upTo("</auth>");
    // A name that is not all there yet could be any of them.
    return text.size() < 8 ? 0 : upTo(">");
  }

  void handle(string_view element) {
    if (element.substr(0, 8) == "<message") return route(element);
    if (element.substr(0, 14) == "<stream:stream") return header();
    if (element.substr(0, 5) == "<auth") return authenticate(element);
    if (element.substr(0, 3) == "<iq") return query(element);
    if (element.substr(0, 16) == "</stream:stream>") {
      leave();
      user_ = group_ = -1;
      send("</stream:stream>");
      finish();
    }
  }

  void header() {
    static unsigned long id = 0;
    send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' from='" + DOMAIN_NAME +
         "' id='s" + std::to_string(++id) + "' version='1.0' xml:lang='en'><stream:features>" +
         (user_ < 0 ? "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
                    : "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/>") +
         "</stream:features>");
  }

  void authenticate(string_view element) {
    const string response = fromBase64(between(element, ">", "<"));
    const size_t zero = response.find('\0');
    const long number = zero == string::npos ? -1 : numberOf(string_view(response).substr(zero + 1));
    if (number < 0 || number > 1000000) {
      return send("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><not-authorized/></failure>");
    }
    user_ = number;
    if (users.size() <= size_t(number)) users.resize(size_t(number) + 1);
    users[size_t(number)] = this;
    send("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
  }

  void query(string_view element) {
    const string id(attribute(element.substr(0, element.find('>')), "id"));
    const string_view resource = between(element, "<resource>", "</resource>");
    string answer = "<iq type='result' id='" + id + "'";
    if (element.find("urn:ietf:params:xml:ns:xmpp-bind") == string_view::npos) return send(answer + "/>");
    if (!resource.empty() && resource[0] == 'g' && (group_ = numberOf(resource)) >= 0) groups[unsigned(group_)].push_back(this);
    send(answer + "><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>u" + std::to_string(user_) + "@" + DOMAIN_NAME + "/" +
         (resource.empty() ? "r" : string(resource)) + "</jid></bind></iq>");
  }

  void route(string_view message) {
    // On a stream of its own the namespace is known, as servers leave it out.
    static const string_view declared[] = {" xmlns=\"jabber:client\"", " xmlns='jabber:client'"};
    string_view start = message.substr(0, 8);
    string_view rest = message.substr(8);
    for (const auto& declaration : declared) {
      if (rest.substr(0, declaration.size()) == declaration) rest.remove_prefix(declaration.size());
    }
    if (spoiled > 0) return spoil(start, rest);
    pass(start, rest);
  }

  void spoil(string_view start, string_view rest) {
    static unsigned long count = 0;
    static string late;
    if (++count % spoiled == 0) {
      if (spoiling == "drop") return;
      if (spoiling == "twice") pass(start, rest);
      if (spoiling == "swap") return void(late.assign(rest));
    }
    pass(start, rest);
    if (late.empty()) return;
    const string second = std::move(late);
    late.clear();
    pass(start, second);
  }

  void pass(string_view start, string_view rest) {
    const string_view to = attribute(rest.substr(0, rest.find('>')), "to");
    const long number = numberOf(to);
    if (number < 0) return;
    if (to[0] == 'g') {
      for (Stream* member : groups[unsigned(number)]) member->deliver(start, rest);
    } else if (size_t(number) < users.size() && users[size_t(number)]) {
      users[size_t(number)]->deliver(start, rest);
    }
  }

  string rest_;
  // How much of an incomplete element was searched for its end.
  size_t seen_ = 0;
  long user_ = -1;
  long group_ = -1;
};

class Listener final : public net::Watched {
 public:
  explicit Listener(net::Loop& loop) : loop_(loop), fd_(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = net::loopback(0);
    socklen_t length = sizeof address;
    if (fd_ < 0 || bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(fd_, 4096) != 0 ||
        getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
      net::fail("listen");
    }
    loop_.add(fd_, EPOLLIN, this);
    std::printf("listening %u\n", ntohs(address.sin_port));
    std::fflush(stdout);
  }

  void onEvents(uint32_t) override {
    for (int fd; (fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      (new Stream(loop_))->adopt(fd);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR) net::fail("accept");
  }

 private:
  net::Loop& loop_;
  int fd_;
};

// Whoever started us is gone, or wants us to go.
class Input final : public net::Watched {
 public:
  explicit Input(net::Loop& loop) { loop.add(STDIN_FILENO, EPOLLIN, this); }
  void onEvents(uint32_t) override {
    char byte[256];
    if (read(STDIN_FILENO, byte, sizeof byte) <= 0) std::_Exit(0);
  }
};

}  // namespace

int main(int count, char** values) {
  if (count > 2) {
    spoiling = values[1];
    spoiled = std::strtoul(values[2], nullptr, 10);
  }
  net::raiseFileLimit();
  net::Loop loop;
  Listener listener(loop);
  Input input(loop);
  for (;;) loop.turn(-1);
}
