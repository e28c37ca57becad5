// A client on WebSocket: RFC 7395, or the bare stream as relays without XML pass it.
#pragma once

#include "session.h"

class WebSocketSession final : public Session, private net::Connection {
 public:
  WebSocketSession(net::Loop& loop, Audience& audience, const Target& target, size_t number)
      : Session(audience, target, number), Connection(loop), raw_(target.transport == "ws-raw") {}

  void start() override { connect(target_.port); }

  void leave() override {
    if (over) return;
    leaving_ = true;
    if (!open()) return gone("");
    if (step_ == Step::Online) frame(1, raw_ ? "</stream:stream>" : "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>");
    // 1000: normal closure.
    frame(8, string_view("\x03\xe8", 2));
  }

  void send(string_view stanza) override { frame(1, stanza); }

  bool hasRoom() const override { return queued() < 64 * 1024; }

  void setReading(bool reading) override { Connection::setReading(reading); }

 private:
  void openStream() override {
    if (raw_) {
      frame(1, "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" + target_.domain + "' version='1.0'>");
    } else {
      frame(1, "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + target_.domain + "' version='1.0'" + sharedAttributes() + "/>");
    }
  }

  void onConnect() override {
    const string host = "127.0.0.1:" + std::to_string(target_.port);
    Connection::send("GET " + target_.path + " HTTP/1.1\r\nHost: " + host + "\r\nOrigin: http://" + host +
                     "\r\nUser-Agent: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n");
  }

  void onFlushed() override {
    if (ready) audience_.onRoom(*this);
  }

  void onClose() override { gone(leaving_ ? "" : "connection lost " + handshake_.substr(0, 120)); }

  void onData(const char* data, size_t length) override {
    string_view bytes(data, length);
    if (!upgraded_) {
      handshake_.append(bytes);
      const size_t end = handshake_.find("\r\n\r\n");
      if (end == string::npos) return;
      if (handshake_.compare(0, 12, "HTTP/1.1 101") != 0) {
        gone("no WebSocket: " + handshake_.substr(0, handshake_.find('\r')));
        return finish();
      }
      upgraded_ = true;
      const string rest = handshake_.substr(end + 4);
      handshake_ = string();
      openStream();
      if (!rest.empty()) frames(rest);
      return;
    }
    frames(bytes);
  }

  void frames(string_view bytes) {
    while (!bytes.empty() && !over) {
      if (left_ > 0) {
        const size_t take = std::min(bytes.size(), size_t(left_));
        left_ -= take;
        payload(bytes.substr(0, take), left_ == 0);
        bytes.remove_prefix(take);
        continue;
      }
      // A header is put together from however many pieces.
      header_.push_back(bytes[0]);
      bytes.remove_prefix(1);
      const size_t extended = header_.size() < 2 ? 0 : (header_[1] & 127) == 126 ? 2 : (header_[1] & 127) == 127 ? 8 : 0;
      if (header_.size() < 2 + extended) continue;
      left_ = uint8_t(header_[1]) & 127u;
      if (extended > 0) left_ = 0;
      for (size_t i = 0; i < extended; i++) left_ = left_ << 8 | uint8_t(header_[2 + i]);
      opcode_ = header_[0] & 15;
      header_.clear();
      if (left_ == 0) payload({}, true);
    }
  }

  void payload(string_view bytes, bool last) {
    if (opcode_ < 8) return received(bytes);
    control_.append(bytes);
    if (!last) return;
    const string content = std::move(control_);
    control_.clear();
    if (opcode_ == 9) return frame(10, content);
    if (opcode_ != 8) return;
    if (!leaving_) {
      gone("WebSocket closed by the server");
      frame(8, content);
    }
    finish();
  }

  // Clients mask (RFC 6455, section 5.3), each frame with another key.
  void frame(int opcode, string_view payload) {
    char header[14];
    size_t length = 2;
    header[0] = char(0x80 | opcode);
    if (payload.size() < 126) {
      header[1] = char(0x80 | payload.size());
    } else {
      const int bytes = payload.size() < 65536 ? 2 : 8;
      header[1] = char(0x80 | (bytes == 2 ? 126 : 127));
      for (int i = bytes - 1; i >= 0; i--) header[length++] = char(payload.size() >> (8 * i) & 0xff);
    }
    mask_ = mask_ * 6364136223846793005u + 1442695040888963407u;
    char key[8];
    std::memcpy(key, &mask_, 4);
    std::memcpy(key + 4, &mask_, 4);
    std::memcpy(header + length, key, 4);
    masked_.assign(header, length + 4);
    masked_.append(payload);
    char* at = masked_.data() + length + 4;
    uint64_t wide;
    std::memcpy(&wide, key, 8);
    size_t i = 0;
    for (; i + 8 <= payload.size(); i += 8) {
      uint64_t word;
      std::memcpy(&word, at + i, 8);
      word ^= wide;
      std::memcpy(at + i, &word, 8);
    }
    for (; i < payload.size(); i++) at[i] ^= key[i & 3];
    Connection::send(masked_);
  }

  const bool raw_;
  bool upgraded_ = false;
  bool leaving_ = false;
  string handshake_;
  string header_;
  string control_;
  uint64_t left_ = 0;
  int opcode_ = 0;
  inline static string masked_;
  inline static uint64_t mask_ = 0x9e3779b97f4a7c15u;
};
