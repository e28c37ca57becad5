// A client on BOSH (XEP-0124, XEP-0206), as browsers are: two connections that are kept, at most two requests at once, of
// which one is held, and answers taken in the order of the requests.
#pragma once

#include "session.h"

class BoshSession;

// One kept HTTP connection: a request, then its answer.
class HttpConnection final : public net::Connection {
 public:
  HttpConnection(net::Loop& loop, BoshSession& owner) : Connection(loop), owner_(owner) {}

  bool busy = false;
  uint64_t rid = 0;

 private:
  void onData(const char* data, size_t length) override;
  void onClose() override;

  // Takes a complete answer out of what came; false when there is none.
  bool answer(string& body, string& error);

  BoshSession& owner_;
  string in_;
  // Where the body begins, and its length, once the head is read; npos: chunked.
  size_t head_ = 0;
  size_t length_ = 0;
};

class BoshSession final : public Session, private net::Deferred {
 public:
  BoshSession(net::Loop& loop, Audience& audience, const Target& target, size_t number)
      : Session(audience, target, number), loop_(loop), rid_(1000000 + number * 1000) {}

  void start() override { create(); }

  void leave() override {
    if (over) return;
    leaving_ = true;
    if (sid_.empty()) return finish("");
    last_ = true;
    schedule();
  }

  void send(string_view stanza) override {
    payload_.append(stanza);
    schedule();
  }

  bool hasRoom() const override { return payload_.size() < BATCH_BYTES && busy() < 2; }

  void setReading(bool reading) override {
    stalled_ = !reading;
    for (auto& connection : connections_) {
      if (connection && connection->open()) connection->setReading(reading);
    }
    if (reading) schedule();
  }

  void answered(HttpConnection& connection, string body) {
    connection.busy = false;
    // An answer that overtook the one before it waits for that.
    const uint64_t rid = connection.rid;
    for (const auto& other : connections_) {
      if (other && other->busy && other->rid < rid) {
        early_ = std::move(body);
        earlyRid_ = rid;
        return;
      }
    }
    take(body);
    if (earlyRid_ > 0 && !over) {
      const string next = std::move(early_);
      earlyRid_ = 0;
      take(next);
    }
    schedule();
  }

  void broken(const string& reason) { finish(leaving_ ? "" : reason); }

 private:
  // As much as one request carries; a single larger stanza goes, too.
  static constexpr size_t BATCH_BYTES = 9600;

  void openStream() override {
    restart_ = true;
    schedule();
  }

  void create() {
    string body = "<body content='text/xml; charset=utf-8' hold='1' rid='" + std::to_string(++rid_) + "' to='" + target_.domain +
                  "' ver='1.6' wait='60' xml:lang='en' xmpp:version='1.0' xmlns='http://jabber.org/protocol/httpbind' xmlns:xmpp='urn:xmpp:xbosh'";
    if (!target_.route.empty()) body += " route='" + target_.route + "'";
    post(body + sharedAttributes() + "/>");
  }

  int busy() const {
    int count = 0;
    for (const auto& connection : connections_) count += connection && connection->busy;
    return count;
  }

  void schedule() {
    if (scheduled_) return;
    scheduled_ = true;
    loop_.defer(this);
  }

  // All that is to be sent in one turn goes into one request; where nothing is, one is held.
  void onTurnEnd() override {
    if (ready && !over && !last_ && hasRoom()) audience_.onRoom(*this);
    scheduled_ = false;
    if (over || sid_.empty() || left_ || busy() == 2 || earlyRid_ > 0) return;
    const bool empty = payload_.empty() && !restart_ && !last_;
    if (empty && (busy() > 0 || stalled_)) return;
    string body = "<body rid='" + std::to_string(++rid_) + "' sid='" + sid_ + "' xmlns='http://jabber.org/protocol/httpbind'";
    if (restart_) {
      body += " to='" + target_.domain + "' xmpp:restart='true' xmlns:xmpp='urn:xmpp:xbosh'/>";
      restart_ = false;
    } else if (!payload_.empty()) {
      body.append(">").append(payload_).append("</body>");
      payload_.clear();
    } else {
      left_ = last_;
      body += last_ ? " type='terminate'/>" : "/>";
    }
    post(body);
  }

  void post(const string& body) {
    for (auto& connection : connections_) {
      if (connection && connection->busy) continue;
      if (!connection || !connection->open()) {
        // Events of this turn may still name the old one.
        if (connection) loop_.bury(std::move(connection));
        connection = std::make_unique<HttpConnection>(loop_, *this);
        connection->connect(target_.port);
      }
      connection->busy = true;
      connection->rid = rid_;
      const string host = "127.0.0.1:" + std::to_string(target_.port);
      connection->send("POST " + target_.path + " HTTP/1.1\r\nHost: " + host + "\r\nOrigin: http://" + host +
                       "\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: " +
                       std::to_string(body.size()) + "\r\n\r\n");
      connection->send(body);
      return;
    }
  }

  void take(const string& body) {
    const string_view text(body);
    const string_view tag = text.substr(0, text.find('>'));
    if (sid_.empty()) sid_ = attributeOf(tag, "sid");
    const bool terminated = attributeOf(tag, "type") == "terminate";
    if (step_ == Step::Opening) {
      received(text);
    } else {
      const size_t end = text.rfind("</body>");
      if (end != string_view::npos && end > tag.size()) received(text.substr(tag.size() + 1, end - tag.size() - 1));
    }
    if (terminated) return finish(leaving_ ? "" : "terminated: " + string(tag.substr(0, 200)));
    if (left_ && busy() == 0) finish("");
  }

  void finish(const string& reason) {
    for (auto& connection : connections_) {
      if (!connection) continue;
      connection->busy = false;
      connection->finish();
    }
    gone(reason);
  }

  net::Loop& loop_;
  uint64_t rid_;
  string sid_;
  string payload_;
  bool scheduled_ = false;
  bool restart_ = false;
  bool stalled_ = false;
  // We want to leave, the request that says so is due, it is sent.
  bool leaving_ = false;
  bool last_ = false;
  bool left_ = false;
  // An answer that came too early; 0: none.
  string early_;
  uint64_t earlyRid_ = 0;
  std::unique_ptr<HttpConnection> connections_[2];
};

inline void HttpConnection::onClose() {
  if (busy) {
    busy = false;
    owner_.broken("connection lost while a request was open");
  }
}

inline void HttpConnection::onData(const char* data, size_t length) {
  in_.append(data, length);
  string body, error;
  if (!answer(body, error)) {
    if (!error.empty()) owner_.broken(error);
    return;
  }
  owner_.answered(*this, std::move(body));
}

inline bool HttpConnection::answer(string& body, string& error) {
  if (head_ == 0) {
    const size_t end = in_.find("\r\n\r\n");
    if (end == string::npos) return false;
    string head = in_.substr(0, end + 2);
    for (char& c : head) c = c >= 'A' && c <= 'Z' ? char(c + 32) : c;
    if (head.compare(0, 12, "http/1.1 200") != 0) {
      error = head.substr(0, head.find('\r'));
      return false;
    }
    head_ = end + 4;
    const string_view declared = between(head, "\r\ncontent-length:", "\r\n");
    length_ = declared.empty() ? string::npos : size_t(std::strtoull(string(declared).c_str(), nullptr, 10));
  }
  if (length_ != string::npos) {
    if (in_.size() < head_ + length_) return false;
    body = in_.substr(head_, length_);
    in_.erase(0, head_ + length_);
    head_ = 0;
    return true;
  }
  size_t at = head_;
  for (;;) {
    const size_t line = in_.find("\r\n", at);
    if (line == string::npos) return false;
    const size_t size = size_t(std::strtoull(in_.c_str() + at, nullptr, 16));
    if (in_.size() < line + 2 + size + 2) return false;
    body.append(in_, line + 2, size);
    at = line + 2 + size + 2;
    if (size > 0) continue;
    in_.erase(0, at);
    head_ = 0;
    return true;
  }
}
