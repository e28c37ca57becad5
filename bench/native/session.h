// An XMPP client on a web transport, from the login to the messages that it gets. What the server says is searched for a
// few marks and never parsed, so that one core plays thousands of clients and is still bored.
#pragma once

#include <deque>

#include "net.h"

using std::string;
using std::string_view;

struct Target {
  uint16_t port = 0;
  string path;
  string domain = "localhost";
  // "ws" (RFC 7395), "ws-raw" (a bare TCP stream in messages), "bosh".
  string transport;
  // For connection managers that are told where the server is (XEP-0124, section 7).
  string route;
};

class Session;

// Told what becomes of sessions.
class Audience {
 public:
  virtual ~Audience() = default;
  virtual void onReady(Session& session) = 0;
  // A message is complete; the text of its <body/> begins as the sender numbered it.
  virtual void onMessage(Session& session, string_view body) = 0;
  // More can be sent.
  virtual void onRoom(Session& session) = 0;
  // Ended; `reason` is empty when it was us who left.
  virtual void onGone(Session& session, const string& reason) = 0;
};

inline string base64(string_view bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (size_t j = 0; j < 3; j++) group = group << 8 | (i + j < bytes.size() ? uint8_t(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; j++) text.push_back(i + j > bytes.size() ? '=' : digits[group >> (18 - 6 * j) & 63]);
  }
  return text;
}

// The text between two marks; empty when either is missing.
inline string_view between(string_view text, string_view open, string_view close) {
  const size_t from = text.find(open);
  if (from == string_view::npos) return {};
  const size_t to = text.find(close, from + open.size());
  return to == string_view::npos ? string_view() : text.substr(from + open.size(), to - from - open.size());
}

// The value of the first attribute of that name, whatever its quotes.
inline string attributeOf(string_view text, const string& name) {
  for (const char quote : {'"', '\''}) {
    const string_view value = between(text, " " + name + "=" + quote, string_view(&quote, 1));
    if (!value.empty()) return string(value);
  }
  return {};
}

class Session {
 public:
  Session(Audience& audience, const Target& target, size_t number) : number(number), audience_(audience), target_(target) {}
  virtual ~Session() = default;

  virtual void start() = 0;
  virtual void leave() = 0;
  // Takes one stanza; `xmlns` is declared on it where the transport wants that.
  virtual void send(string_view stanza) = 0;
  // Whether another one may be given now.
  virtual bool hasRoom() const = 0;
  virtual void setReading(bool reading) = 0;

  const size_t number;
  string user;
  string password = "p";
  string resource = "r";
  // Shared BOSH: the key; who attaches with it does not log in.
  string key;
  string jid;
  bool ready = false;
  bool over = false;
  uint64_t startedAt = 0;
  // Flows that this session sends for.
  std::vector<size_t> flows;

 protected:
  enum class Step { Opening, Authenticating, Reopening, Binding, Online };

  virtual void openStream() = 0;
  // An element of the login.
  void say(string_view name, string_view attributes, string_view rest) {
    string element = "<" + string(name);
    element.append(attributes).append(rest);
    send(element);
  }

  // What came from the server, in pieces of any size.
  void received(string_view text) {
    if (step_ != Step::Online) {
      pending_.append(text);
      if (!login()) return;
      // What follows the login in the same piece is not lost.
      const string rest = std::move(pending_);
      pending_.clear();
      searched_ = 0;
      audience_.onReady(*this);
      if (!over && !rest.empty()) received(rest);
      return;
    }
    if (pending_.empty()) {
      const size_t used = messages(text);
      pending_.assign(text.substr(used));
    } else {
      pending_.append(text);
      const size_t used = messages(pending_);
      pending_.erase(0, used);
    }
  }

  void gone(const string& reason) {
    if (over) return;
    over = true;
    ready = false;
    audience_.onGone(*this, reason);
  }

  // Attributes that ask for a shared session, on whatever opens one.
  string sharedAttributes() const {
    return key.empty() ? string() : " xmlns:shared='urn:xmpp:tmp:shared-bosh:0' shared:key='" + key + "'";
  }

  Audience& audience_;
  const Target& target_;
  Step step_ = Step::Opening;

 private:
  // Goes on as far as what came allows; true when the login is done.
  bool login() {
    static const string NS_SASL = "urn:ietf:params:xml:ns:xmpp-sasl";
    for (;;) {
      switch (step_) {
        case Step::Opening: {
          const string attached = key.empty() ? string() : attributeOf(pending_, "shared:jid");
          if (!attached.empty()) {
            jid = attached;
            pending_.clear();
            return online();
          }
          if (!cut("</stream:features>")) return false;
          step_ = Step::Authenticating;
          string plain;
          plain.push_back('\0');
          plain.append(user).push_back('\0');
          plain.append(password);
          say("auth", " xmlns='" + NS_SASL + "' mechanism='PLAIN'", ">" + base64(plain) + "</auth>");
          break;
        }
        case Step::Authenticating:
          if (pending_.find("<failure") != string::npos) {
            gone("login refused: " + pending_.substr(0, 200));
            return false;
          }
          if (!cut("<success")) return false;
          step_ = Step::Reopening;
          openStream();
          break;
        case Step::Reopening:
          if (!cut("</stream:features>")) return false;
          step_ = Step::Binding;
          say("iq", " xmlns='jabber:client' type='set' id='bind'",
              "><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" + resource + "</resource></bind></iq>");
          break;
        case Step::Binding: {
          const string_view found = between(pending_, "<jid>", "</jid>");
          if (found.empty()) {
            if (pending_.find("type='error'") != string::npos || pending_.find("type=\"error\"") != string::npos) gone("bind refused: " + pending_.substr(0, 200));
            return false;
          }
          jid = string(found);
          cut("</iq>");
          return online();
        }
        case Step::Online:
          return true;
      }
    }
  }

  bool online() {
    step_ = Step::Online;
    ready = true;
    return true;
  }

  // Removes what was read, up to the mark, when that is there.
  bool cut(string_view mark) {
    const size_t found = pending_.find(mark);
    if (found == string::npos) return false;
    pending_.erase(0, found + mark.size());
    return true;
  }

  // Hands on every complete message; returns how much of the text was read.
  size_t messages(string_view text) {
    static const string_view END = "</message>";
    size_t at = 0;
    size_t from = searched_;
    searched_ = 0;
    for (;;) {
      const void* found = from < text.size() ? memmem(text.data() + from, text.size() - from, END.data(), END.size()) : nullptr;
      if (!found) break;
      const size_t end = size_t(static_cast<const char*>(found) - text.data());
      const string_view message = text.substr(at, end - at);
      at = from = end + END.size();
      const size_t body = message.find("<body>");
      if (body != string_view::npos) audience_.onMessage(*this, message.substr(body + 6));
      if (over) return text.size();
    }
    // Between messages nothing is kept but what could be the start of one.
    if (at < text.size() && text.find('<', at) == string_view::npos) return text.size();
    const size_t left = text.size() - at;
    searched_ = left > END.size() ? left - END.size() : 0;
    return at;
  }

  string pending_;
  size_t searched_ = 0;
};
