// What the sanitizers' runtimes do, built into every program of a sanitizer build: system tests start programs with an environment of their
// own, so that ASAN_OPTIONS and the like would not reach them; where one is set, it goes first. Each report is a file in KEYFERRY_REPORTS,
// named after program and process, and the process ends with 66: ./dev and the tests' harness look for both.

extern "C" {

// A library may stand before the runtime: tests/system/drop_unsynced.c does.
const char* __asan_default_options() {
  return "log_path=" KEYFERRY_REPORTS
         "/asan:log_exe_name=1:exitcode=66:verify_asan_link_order=0:detect_leaks=1:detect_stack_use_after_return=1:strict_init_order=1:"
         "allocator_may_return_null=1";
}

const char* __ubsan_default_options() { return "log_path=" KEYFERRY_REPORTS "/ubsan:log_exe_name=1:exitcode=66:halt_on_error=1:print_stacktrace=1"; }

const char* __lsan_default_options() { return "suppressions=" KEYFERRY_SOURCE_DIR "/tests/lsan.supp:print_suppressions=0"; }

// Debian's gRPC and RocksDB are not instrumented: what they do to memory is not looked at, their locks and threads are.
const char* __tsan_default_options() {
  return "log_path=" KEYFERRY_REPORTS "/tsan:log_exe_name=1:exitcode=66:halt_on_error=0:second_deadlock_stack=1:history_size=4:"
         "ignore_noninstrumented_modules=1:suppressions=" KEYFERRY_SOURCE_DIR "/tests/tsan.supp:print_suppressions=0";
}

}  // extern "C"
