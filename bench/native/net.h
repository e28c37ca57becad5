// Non-blocking TCP on one epoll loop: what the load and the server have in common.
#pragma once

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <functional>
#include <memory>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace net {

inline uint64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1000000000u + uint64_t(now.tv_nsec);
}

[[noreturn]] inline void fail(const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

// As many files as the machine lets us have.
inline void raiseFileLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

class Loop;

// Something with a file descriptor that the loop watches.
class Watched {
 public:
  virtual ~Watched() = default;
  virtual void onEvents(uint32_t events) = 0;
};

// Something that waits for the end of a turn of the loop, when all that came in it is known.
class Deferred {
 public:
  virtual ~Deferred() = default;
  virtual void onTurnEnd() = 0;
};

// One TCP connection. What is sent in one turn of the loop leaves as one write at its end.
class Connection : public Watched {
 public:
  explicit Connection(Loop& loop) : loop_(loop) {}
  ~Connection() override { drop(); }

  void connect(uint16_t port);
  void adopt(int fd);
  void send(std::string_view bytes);
  // Reads no more until resumed, so that the peer's data stays in the kernel's buffers.
  void setReading(bool reading);
  // Closes once what was sent has left; onClose() then, too.
  void finish();
  void flush();

  bool open() const { return fd_ >= 0; }
  size_t queued() const { return out_.size() - outAt_; }

 protected:
  virtual void onConnect() {}
  virtual void onData(const char* data, size_t length) = 0;
  // All that was sent has left.
  virtual void onFlushed() {}
  // The connection is closed, whoever closed it, or it broke.
  virtual void onClose() {}

  Loop& loop_;

 private:
  void onEvents(uint32_t events) override;
  void watch();
  void drop();
  void lost();

  int fd_ = -1;
  uint32_t watched_ = 0;
  bool connecting_ = false;
  bool reading_ = true;
  bool dirty_ = false;
  bool blocked_ = false;
  bool finishing_ = false;
  std::string out_;
  size_t outAt_ = 0;
};

class Loop {
 public:
  Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(256 * 1024) {
    if (epoll_ < 0) fail("epoll_create1");
  }

  void add(int fd, uint32_t events, Watched* who) { control(EPOLL_CTL_ADD, fd, events, who); }
  void change(int fd, uint32_t events, Watched* who) { control(EPOLL_CTL_MOD, fd, events, who); }

  // One turn: waits for events, handles them, and writes what they made us say.
  void turn(int milliseconds) {
    epoll_event events[512];
    const int count = epoll_wait(epoll_, events, 512, milliseconds);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; i++) static_cast<Watched*>(events[i].data.ptr)->onEvents(events[i].events);
    for (size_t i = 0; i < deferred_.size(); i++) deferred_[i]->onTurnEnd();
    deferred_.clear();
    flush();
    graveyard_.clear();
  }

  // To be called once in a turn.
  void defer(Deferred* who) { deferred_.push_back(who); }

  void flush() {
    // What a flush makes others say is flushed as well.
    for (size_t i = 0; i < dirty_.size(); i++) {
      if (dirty_[i]) dirty_[i]->flush();
    }
    dirty_.clear();
  }

  void soil(Connection* connection) { dirty_.push_back(connection); }
  void forget(Connection* connection) {
    for (auto& entry : dirty_) {
      if (entry == connection) entry = nullptr;
    }
  }
  // Deleted at the end of the turn: events of this turn may still name it.
  void bury(std::unique_ptr<Watched> dead) { graveyard_.push_back(std::move(dead)); }

  std::vector<char>& buffer() { return buffer_; }

 private:
  void control(int operation, int fd, uint32_t events, Watched* who) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = who;
    if (epoll_ctl(epoll_, operation, fd, &event) != 0) fail("epoll_ctl");
  }

  int epoll_;
  std::vector<char> buffer_;
  std::vector<Deferred*> deferred_;
  std::vector<Connection*> dirty_;
  std::vector<std::unique_ptr<Watched>> graveyard_;
};

inline sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

inline void Connection::connect(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) fail("connect");
  connecting_ = true;
  adopt(fd);
}

inline void Connection::adopt(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fd_ = fd;
  watched_ = connecting_ ? EPOLLOUT : EPOLLIN;
  loop_.add(fd, watched_, this);
}

inline void Connection::send(std::string_view bytes) {
  if (fd_ < 0) return;
  out_.append(bytes);
  if (dirty_ || blocked_ || connecting_) return;
  dirty_ = true;
  loop_.soil(this);
}

inline void Connection::flush() {
  dirty_ = false;
  while (fd_ >= 0 && queued() > 0) {
    const ssize_t written = ::send(fd_, out_.data() + outAt_, queued(), MSG_NOSIGNAL);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return lost();
      blocked_ = true;
      // What has left is thrown away now and then, so that each byte is moved but a few times.
      if (outAt_ > out_.size() / 2) {
        out_.erase(0, outAt_);
        outAt_ = 0;
      }
      return watch();
    }
    outAt_ += size_t(written);
  }
  if (fd_ < 0) return;
  if (out_.capacity() > 1024 * 1024) out_.shrink_to_fit();
  out_.clear();
  outAt_ = 0;
  if (blocked_) {
    blocked_ = false;
    watch();
  }
  if (finishing_) return lost();
  onFlushed();
}

inline void Connection::setReading(bool reading) {
  reading_ = reading;
  watch();
}

inline void Connection::finish() {
  finishing_ = true;
  if (fd_ >= 0 && queued() == 0) lost();
}

inline void Connection::watch() {
  if (fd_ < 0) return;
  const uint32_t wanted = connecting_ ? EPOLLOUT : (reading_ ? EPOLLIN : 0u) | (blocked_ ? EPOLLOUT : 0u);
  if (wanted == watched_) return;
  watched_ = wanted;
  loop_.change(fd_, wanted, this);
}

inline void Connection::drop() {
  if (fd_ < 0) return;
  if (dirty_) loop_.forget(this);
  close(fd_);
  fd_ = -1;
  out_ = std::string();
  outAt_ = 0;
}

inline void Connection::lost() {
  drop();
  onClose();
}

inline void Connection::onEvents(uint32_t events) {
  if (fd_ < 0) return;
  if (connecting_) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
      errno = error;
      return lost();
    }
    connecting_ = false;
    watch();
    onConnect();
    if (queued() > 0) flush();
    return;
  }
  if (events & EPOLLOUT) flush();
  if (fd_ < 0 || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  if (!reading_ && !(events & (EPOLLHUP | EPOLLERR))) return;
  auto& buffer = loop_.buffer();
  const ssize_t length = recv(fd_, buffer.data(), buffer.size(), 0);
  if (length > 0) return onData(buffer.data(), size_t(length));
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  lost();
}

}  // namespace net
