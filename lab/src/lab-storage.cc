// SPDX-License-Identifier: Apache-2.0
// lab-storage DIRECTORY MOUNT_POINT: one host's view of the shared storage.
//
// A bind mount of the shared directory would do for everything but one fault: it cannot be cut for one host.
// With a file system server of its own per host it can: stop the server (SIGSTOP) and whatever that host does
// on the storage hangs, like on a hard-mounted NFS whose network is down; let it go on and the host goes on.
//
// Locks are passed on to the directory below, as locks of the open file (OFD), because that is what QEMU
// takes: so they hold between hosts, and vanish with the host. This is why it is written to libfuse's
// low-level interface: the other one keeps a list of its own of the locks, which does not see that an open
// file's end is the end of its locks.
//
// Nothing is cached on this side, or two hosts would see two truths. fsync does nothing: hosts die in the
// lab, the storage does not, and its memory is as good as the battery-backed one of a disk array.
#define FUSE_USE_VERSION 312
#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse_lowlevel.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Node {
  int fd;  // opened with O_PATH: it stands for the file wherever it is moved
  std::pair<dev_t, ino_t> key;
  uint64_t lookups;  // how often the kernel was told of it and has not yet forgotten it
};

struct File {
  int fd;
  uint64_t lock_owner = 0;  // who took locks through this open file
};

using Listing = std::vector<std::pair<std::string, struct stat>>;

std::mutex nodes_mutex;
std::map<std::pair<dev_t, ino_t>, Node> nodes;
Node root{-1, {}, 1};

Node& node(fuse_ino_t ino) {
  return ino == FUSE_ROOT_ID ? root : *reinterpret_cast<Node*>(ino);
}
int fd_of(fuse_ino_t ino) {
  return node(ino).fd;
}
File& file(const fuse_file_info* info) {
  return *reinterpret_cast<File*>(info->fh);
}
std::string path_of(fuse_ino_t ino) {
  return "/proc/self/fd/" + std::to_string(fd_of(ino));
}

void reply(fuse_req_t request, int returned) {
  fuse_reply_err(request, returned < 0 ? errno : 0);
}

// Finds name below parent and makes the kernel's entry of it. 0 or an errno.
int look_up(fuse_ino_t parent, const char* name, fuse_entry_param& entry) {
  entry = {};
  const int fd = openat(fd_of(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return errno;
  if (fstatat(fd, "", &entry.attr, AT_EMPTY_PATH) < 0) {
    const int why = errno;
    close(fd);
    return why;
  }
  const std::lock_guard guard(nodes_mutex);
  const auto [at, is_new] = nodes.try_emplace({entry.attr.st_dev, entry.attr.st_ino}, Node{fd, {}, 0});
  if (is_new)
    at->second.key = at->first;
  else
    close(fd);
  at->second.lookups++;
  entry.ino = reinterpret_cast<fuse_ino_t>(&at->second);
  return 0;
}

void reply_entry(fuse_req_t request, int status, fuse_ino_t parent, const char* name) {
  fuse_entry_param entry;
  const int why = status < 0 ? errno : look_up(parent, name, entry);
  if (why != 0)
    fuse_reply_err(request, why);
  else
    fuse_reply_entry(request, &entry);
}

void forget(fuse_ino_t ino, uint64_t count) {
  if (ino == FUSE_ROOT_ID) return;
  const std::lock_guard guard(nodes_mutex);
  Node& n = node(ino);
  n.lookups -= count;
  if (n.lookups != 0) return;
  close(n.fd);
  nodes.erase(std::pair(n.key));  // a copy: the key dies with the node
}

void reply_attributes(fuse_req_t request, fuse_ino_t ino) {
  struct stat attributes {};
  if (fstatat(fd_of(ino), "", &attributes, AT_EMPTY_PATH) < 0)
    fuse_reply_err(request, errno);
  else
    fuse_reply_attr(request, &attributes, 0);
}

void set_attributes(fuse_req_t request, fuse_ino_t ino, struct stat* to, int what, fuse_file_info*) {
  const std::string path = path_of(ino);
  int status = 0;
  if (what & FUSE_SET_ATTR_MODE) status = chmod(path.c_str(), to->st_mode);
  if (status == 0 && (what & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)))
    status = fchownat(fd_of(ino), "", what & FUSE_SET_ATTR_UID ? to->st_uid : static_cast<uid_t>(-1),
                      what & FUSE_SET_ATTR_GID ? to->st_gid : static_cast<gid_t>(-1),
                      AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
  if (status == 0 && (what & FUSE_SET_ATTR_SIZE)) status = truncate(path.c_str(), to->st_size);
  if (status == 0 && (what & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME))) {
    const auto time = [&](int set, int now, const timespec& given) {
      return what & now ? timespec{0, UTIME_NOW} : what & set ? given : timespec{0, UTIME_OMIT};
    };
    const std::array times{time(FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, to->st_atim),
                           time(FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, to->st_mtim)};
    status = utimensat(AT_FDCWD, path.c_str(), times.data(), 0);
  }
  if (status < 0)
    fuse_reply_err(request, errno);
  else
    reply_attributes(request, ino);
}

// O_DIRECT wants aligned memory, which the requests that reach us are not in; the caller bypasses its own
// cache all the same. O_APPEND is the kernel's business: it has computed the offset by the time we are asked.
int flags_below(int flags) {
  return (flags & ~(O_DIRECT | O_SYNC | O_DSYNC | O_APPEND | O_NOFOLLOW)) | O_CLOEXEC;
}

void keep(fuse_file_info* info, int fd) {
  info->fh = reinterpret_cast<uint64_t>(new File{fd});
  info->direct_io = 1;
}

void open_file(fuse_req_t request, fuse_ino_t ino, fuse_file_info* info) {
  const int fd = open(path_of(ino).c_str(), flags_below(info->flags));
  if (fd < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  keep(info, fd);
  fuse_reply_open(request, info);
}

void create_file(fuse_req_t request, fuse_ino_t parent, const char* name, mode_t mode, fuse_file_info* info) {
  const int fd = openat(fd_of(parent), name, flags_below(info->flags) | O_CREAT, mode);
  fuse_entry_param entry;
  const int why = fd < 0 ? errno : look_up(parent, name, entry);
  if (why != 0) {
    if (fd >= 0) close(fd);
    fuse_reply_err(request, why);
    return;
  }
  keep(info, fd);
  fuse_reply_create(request, &entry, info);
}

void read_file(fuse_req_t request, fuse_ino_t, size_t size, off_t at, fuse_file_info* info) {
  std::vector<char> buffer(size);
  const ssize_t got = pread(file(info).fd, buffer.data(), size, at);
  if (got < 0)
    fuse_reply_err(request, errno);
  else
    fuse_reply_buf(request, buffer.data(), static_cast<size_t>(got));
}

void write_file(fuse_req_t request, fuse_ino_t, const char* from, size_t size, off_t at,
                fuse_file_info* info) {
  const ssize_t put = pwrite(file(info).fd, from, size, at);
  if (put < 0)
    fuse_reply_err(request, errno);
  else
    fuse_reply_write(request, static_cast<size_t>(put));
}

void get_lock(fuse_req_t request, fuse_ino_t, fuse_file_info* info, struct flock* range) {
  range->l_pid = 0;
  if (fcntl(file(info).fd, F_OFD_GETLK, range) < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  range->l_pid = 0;  // the holder may be on another host, where its number means another process
  fuse_reply_lock(request, range);
}

void set_lock(fuse_req_t request, fuse_ino_t, fuse_file_info* info, struct flock* range, int wait) {
  range->l_pid = 0;
  if (range->l_type != F_UNLCK) file(info).lock_owner = info->lock_owner;
  reply(request, fcntl(file(info).fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, range));
}

// A descriptor was closed. A process's locks on the file end with that; those of the open file do not. The
// owner tells them apart: it is the process for the ones, and the open file for the others.
void flush_file(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  if (file(info).lock_owner == info->lock_owner && info->lock_owner != 0) {
    struct flock all {};
    all.l_type = F_UNLCK;
    fcntl(file(info).fd, F_OFD_SETLK, &all);
  }
  fuse_reply_err(request, 0);
}

void release_file(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  const std::unique_ptr<File> owned(&file(info));
  reply(request, close(owned->fd));
}

// The whole directory is read when it is opened, so that a reader's place in it stays valid whatever others
// do meanwhile.
void open_directory(fuse_req_t request, fuse_ino_t ino, fuse_file_info* info) {
  const int fd = openat(fd_of(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* directory = fd < 0 ? nullptr : fdopendir(fd);
  if (!directory) {
    fuse_reply_err(request, errno);
    return;
  }
  auto listing = std::make_unique<Listing>();
  while (const dirent* entry = readdir(directory)) {
    struct stat st {};
    st.st_ino = entry->d_ino;
    st.st_mode = static_cast<mode_t>(entry->d_type) << 12;
    listing->emplace_back(entry->d_name, st);
  }
  closedir(directory);
  info->fh = reinterpret_cast<uint64_t>(listing.release());
  fuse_reply_open(request, info);
}

void read_directory(fuse_req_t request, fuse_ino_t, size_t size, off_t at, fuse_file_info* info) {
  const Listing& listing = *reinterpret_cast<Listing*>(info->fh);
  std::vector<char> buffer(size);
  size_t used = 0;
  for (auto i = static_cast<size_t>(at); i < listing.size(); i++) {
    const size_t needs =
        fuse_add_direntry(request, buffer.data() + used, size - used, listing[i].first.c_str(),
                          &listing[i].second, static_cast<off_t>(i + 1));
    if (needs > size - used) break;
    used += needs;
  }
  fuse_reply_buf(request, buffer.data(), used);
}

fuse_lowlevel_ops operations() {
  using Request = fuse_req_t;
  using Ino = fuse_ino_t;
  fuse_lowlevel_ops op{};
  op.lookup = [](Request r, Ino parent, const char* name) { reply_entry(r, 0, parent, name); };
  op.forget = [](Request r, Ino ino, uint64_t count) {
    forget(ino, count);
    fuse_reply_none(r);
  };
  op.forget_multi = [](Request r, size_t count, fuse_forget_data* which) {
    for (size_t i = 0; i < count; i++) forget(which[i].ino, which[i].nlookup);
    fuse_reply_none(r);
  };
  op.getattr = [](Request r, Ino ino, fuse_file_info*) { reply_attributes(r, ino); };
  op.setattr = set_attributes;
  op.open = open_file;
  op.create = create_file;
  op.read = read_file;
  op.write = write_file;
  op.getlk = get_lock;
  op.setlk = set_lock;
  op.flock = [](Request r, Ino, fuse_file_info* info, int how) { reply(r, flock(file(info).fd, how)); };
  op.flush = flush_file;
  op.release = release_file;
  op.fsync = [](Request r, Ino, int, fuse_file_info*) { fuse_reply_err(r, 0); };
  op.fallocate = [](Request r, Ino, int mode, off_t at, off_t size, fuse_file_info* info) {
    reply(r, fallocate(file(info).fd, mode, at, size));
  };
  op.opendir = open_directory;
  op.readdir = read_directory;
  op.releasedir = [](Request r, Ino, fuse_file_info* info) {
    delete reinterpret_cast<Listing*>(info->fh);
    fuse_reply_err(r, 0);
  };
  op.mkdir = [](Request r, Ino p, const char* name, mode_t m) {
    reply_entry(r, mkdirat(fd_of(p), name, m), p, name);
  };
  op.mknod = [](Request r, Ino p, const char* name, mode_t m, dev_t d) {
    reply_entry(r, mknodat(fd_of(p), name, m, d), p, name);
  };
  op.symlink = [](Request r, const char* to, Ino p, const char* name) {
    reply_entry(r, symlinkat(to, fd_of(p), name), p, name);
  };
  op.link = [](Request r, Ino ino, Ino p, const char* name) {
    reply_entry(r, linkat(AT_FDCWD, path_of(ino).c_str(), fd_of(p), name, AT_SYMLINK_FOLLOW), p, name);
  };
  op.readlink = [](Request r, Ino ino) {
    std::array<char, 4096> to{};
    if (readlinkat(fd_of(ino), "", to.data(), to.size() - 1) < 0)
      fuse_reply_err(r, errno);
    else
      fuse_reply_readlink(r, to.data());
  };
  op.unlink = [](Request r, Ino p, const char* name) { reply(r, unlinkat(fd_of(p), name, 0)); };
  op.rmdir = [](Request r, Ino p, const char* name) { reply(r, unlinkat(fd_of(p), name, AT_REMOVEDIR)); };
  op.rename = [](Request r, Ino p, const char* name, Ino new_p, const char* new_name, unsigned flags) {
    reply(r, renameat2(fd_of(p), name, fd_of(new_p), new_name, flags));
  };
  op.statfs = [](Request r, Ino) {
    struct statvfs out {};
    if (fstatvfs(root.fd, &out) < 0)
      fuse_reply_err(r, errno);
    else
      fuse_reply_statfs(r, &out);
  };
  return op;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: lab-storage DIRECTORY MOUNT_POINT\n", stderr);
    return 2;
  }
  root.fd = open(argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root.fd < 0) {
    std::fprintf(stderr, "lab-storage: open %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  umask(0);
  // The subtype makes the type "fuse.glusterfs", one of the few that libvirt 9 knows to be shared between
  // hosts. This one is, and without it every live migration would have to be told that it is safe.
  std::string options = "fsname=lab-storage,subtype=glusterfs,allow_other", dash_o = "-o";
  std::array<char*, 4> words{argv[0], dash_o.data(), options.data(), nullptr};
  fuse_args arguments{3, words.data(), 0};
  const fuse_lowlevel_ops op = operations();
  fuse_session* session = fuse_session_new(&arguments, &op, sizeof op, nullptr);
  if (!session || fuse_session_mount(session, argv[2]) != 0) return 1;
  // Threads: a lock that one request waits for may be given up by the next.
  fuse_loop_config* loop = fuse_loop_cfg_create();
  fuse_loop_cfg_set_max_threads(loop, 16);
  const int status = fuse_session_loop_mt(session, loop);
  fuse_loop_cfg_destroy(loop);
  fuse_session_unmount(session);
  fuse_session_destroy(session);
  return status;
}
