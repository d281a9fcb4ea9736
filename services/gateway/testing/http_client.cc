#include "services/gateway/testing/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"

namespace keyferry::gateway {
namespace {

constexpr int kPatienceMillis = 10'000;

bool Connect(const Descriptor& descriptor, const std::string& address) {
  int port = 0;
  if (!absl::SimpleAtoi(address.substr(address.rfind(':') + 1), &port)) return false;
  if (address.starts_with('[')) {
    sockaddr_in6 name{
        .sin6_family = AF_INET6, .sin6_port = htons(static_cast<uint16_t>(port)), .sin6_addr = in6addr_loopback};
    return connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0;
  }
  sockaddr_in name{.sin_family = AF_INET, .sin_port = htons(static_cast<uint16_t>(port))};
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return connect(descriptor.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) == 0;
}

void SetPatience(const Descriptor& descriptor) {
  const timeval patience{.tv_sec = kPatienceMillis / 1000, .tv_usec = 0};
  setsockopt(descriptor.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(descriptor.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

std::string Field(const std::string& body, const char* name) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  return json.is_object() && json.contains(name) ? json[name].get<std::string>() : "";
}

}  // namespace

std::string ClientAnswer::Reason() const { return Field(body, "reason"); }
std::string ClientAnswer::Code() const { return Field(body, "code"); }

HttpClient::HttpClient(const std::string& address, int receive_buffer_bytes)
    : descriptor_(socket(address.starts_with('[') ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer_bytes > 0)
    setsockopt(descriptor_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof(receive_buffer_bytes));
  const int on = 1;
  setsockopt(descriptor_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  SetPatience(descriptor_);
  is_connected_ = Connect(descriptor_, address);
}

ssize_t HttpClient::Receive(char* bytes, size_t size) { return recv(descriptor_.get(), bytes, size, 0); }

ssize_t HttpClient::Transmit(const char* bytes, size_t size) {
  return send(descriptor_.get(), bytes, size, MSG_NOSIGNAL);
}

bool HttpClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = Transmit(bytes.data(), bytes.size());
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool HttpClient::Fill() {
  char bytes[16 * 1024];
  const ssize_t came = Receive(bytes, sizeof(bytes));
  if (came > 0) buffer_.append(bytes, static_cast<size_t>(came));
  return came > 0;
}

std::string HttpClient::ReadLine() {
  size_t end = 0;
  while ((end = buffer_.find("\r\n")) == std::string::npos) {
    if (!Fill()) return "";
  }
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

std::string HttpClient::ReadBytes(size_t count) {
  while (buffer_.size() < count && Fill()) {
  }
  const std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, bytes.size());
  return bytes;
}

std::string HttpClient::ReadRest() {
  while (Fill()) {
  }
  return std::exchange(buffer_, "");
}

std::string HttpClient::ReadChunk() {
  const std::string line = ReadLine();
  size_t size = 0;
  std::from_chars(line.data(), line.data() + line.size(), size, 16);
  std::string chunk = ReadBytes(size);
  if (line.empty() || chunk.size() < size || ReadBytes(2) != "\r\n") return "";
  return chunk;
}

std::string HttpClient::ReadChunks() {
  std::string body;
  for (std::string chunk = ReadChunk(); !chunk.empty(); chunk = ReadChunk()) body += chunk;
  return body;
}

ClientAnswer HttpClient::Read(bool has_body) {
  ClientAnswer answer;
  const std::string status_line = ReadLine();
  if (status_line.size() < 12 || !absl::SimpleAtoi(status_line.substr(9, 3), &answer.status)) return answer;
  for (std::string line = ReadLine(); !line.empty(); line = ReadLine()) {
    const size_t colon = line.find(": ");
    answer.headers[absl::AsciiStrToLower(line.substr(0, colon))] = line.substr(colon + 2);
  }
  if (!has_body || answer.status == 100 || answer.status == 204) return answer;
  size_t length = 0;
  if (answer.headers.contains("transfer-encoding")) {
    answer.body = ReadChunks();
  } else if (absl::SimpleAtoi(answer.headers["content-length"], &length)) {
    answer.body = ReadBytes(length);
  } else {
    answer.body = ReadRest();
  }
  return answer;
}

bool HttpClient::HasBytesWithin(int millis) {
  pollfd event{.fd = descriptor_.get(), .events = POLLIN, .revents = 0};
  return !buffer_.empty() || poll(&event, 1, millis) == 1;
}

bool HttpClient::IsClosed() {
  if (!buffer_.empty() || !HasBytesWithin(kPatienceMillis)) return false;
  char byte = 0;
  return Receive(&byte, 1) == 0;
}

void HttpClient::HalfClose() { shutdown(descriptor_.get(), SHUT_WR); }

void HttpClient::Leave(bool abruptly) {
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  if (abruptly) setsockopt(descriptor_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  descriptor_ = Descriptor();
}

}  // namespace keyferry::gateway
