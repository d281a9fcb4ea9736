// CommitHere: leave to make a commit on the thread that asks for it. While one lives, its thread's next CommitAsync may work until the commit is durable
// and call `done`, and the rings of others, before it returns: two wake-ups of other threads less for a commit that would have had the store for itself. What is called so
// has no such leave of its own.
//
// REQUIRES: the thread holds no lock that `done` or a ring may want, and may wait for the disk. Never a thread of gRPC.
// Thread safety: each belongs to the thread that made it.
#ifndef KEYFERRY_STORAGE_COMMIT_HERE_H_
#define KEYFERRY_STORAGE_COMMIT_HERE_H_

namespace keyferry {

class CommitHere {
 public:
  CommitHere() { is_given_ = true; }
  ~CommitHere() { is_given_ = false; }
  CommitHere(const CommitHere&) = delete;
  CommitHere& operator=(const CommitHere&) = delete;

  // For stores: whether this thread has leave; it ends with this.
  static bool Take() {
    const bool given = is_given_;
    is_given_ = false;
    return given;
  }

 private:
  static inline thread_local bool is_given_ = false;
};

}  // namespace keyferry

#endif  // KEYFERRY_STORAGE_COMMIT_HERE_H_
