// The end of a process that cannot go on: one line of the log, if anybody reads it.
#ifndef KEYFERRY_COMMON_LAST_WORDS_H_
#define KEYFERRY_COMMON_LAST_WORDS_H_

#include <initializer_list>
#include <string_view>

#include "libs/common/log.h"

namespace keyferry {

// Seconds that the line may take: who reads the log may sit on the same sick disk.
inline constexpr unsigned kLastWordsSeconds = 2;

// Logs an error and ends the process with this exit code, destructors left out, also where the log stalls.
// Thread safety: any thread.
[[noreturn]] void EndWithLastWords(int exit_code, std::string_view event, std::initializer_list<LogField> fields);

}  // namespace keyferry

#endif  // KEYFERRY_COMMON_LAST_WORDS_H_
