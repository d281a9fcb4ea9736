// A blocking client that sends what it is told, right or wrong, and reads answers; over TLS where it is given roots.
// Every wait ends after ten seconds.
//
// Thread safety: none.
#ifndef KEYFERRY_SERVICES_GATEWAY_TESTING_HTTP_CLIENT_H_
#define KEYFERRY_SERVICES_GATEWAY_TESTING_HTTP_CLIENT_H_

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>

#include "libs/rpc/socket.h"

namespace keyferry::gateway {

struct ClientAnswer {
  // 0: the connection ended without one.
  int status = 0;
  // Names in lower case.
  std::map<std::string, std::string> headers;
  // Chunks put together.
  std::string body;

  // Of an error's JSON.
  std::string Reason() const;
  std::string Code() const;
};

class HttpClient {
 public:
  // receive_buffer_bytes 0: the system's.
  explicit HttpClient(const std::string& address, int receive_buffer_bytes = 0);
  virtual ~HttpClient() = default;
  HttpClient(HttpClient&&) = default;
  HttpClient& operator=(HttpClient&&) = default;

  bool is_connected() const { return is_connected_; }

  // False when the peer took it no more.
  bool Send(std::string_view bytes);
  ClientAnswer Read(bool has_body = true);
  ClientAnswer Ask(std::string_view bytes) {
    Send(bytes);
    return Read();
  }
  // Of a chunked answer whose head was read with has_body = false: the next chunk, empty at the end or when there is no
  // whole one.
  std::string ReadChunk();
  // Exactly so many bytes, fewer when the connection ends.
  std::string ReadBytes(size_t count);
  // Waits until the server closes in order; false when it resets the connection, sends something first, or does
  // neither.
  bool IsClosed();
  // Whether a byte comes within so many milliseconds.
  bool HasBytesWithin(int millis);
  void HalfClose();
  // Closes; a reset instead of an orderly end where `abruptly`.
  void Leave(bool abruptly = false);

 protected:
  // As read(2) and write(2).
  virtual ssize_t Receive(char* bytes, size_t size);
  virtual ssize_t Transmit(const char* bytes, size_t size);

  Descriptor descriptor_;
  bool is_connected_ = false;

 private:
  bool Fill();
  std::string ReadLine();
  std::string ReadChunks();
  std::string ReadRest();

  std::string buffer_;
};

}  // namespace keyferry::gateway

#endif  // KEYFERRY_SERVICES_GATEWAY_TESTING_HTTP_CLIENT_H_
