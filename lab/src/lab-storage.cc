// SPDX-License-Identifier: Apache-2.0
// lab-storage DIRECTORY MOUNT_POINT: one host's view of the shared storage.
//
// A bind mount of the shared directory would do for everything but one fault: it cannot be cut for one host. With a file system
// server of its own per host it can: stop the server (SIGSTOP) and whatever that host does on the storage hangs, like on a
// hard-mounted NFS whose network is down; let it go on and the host goes on.
//
// Locks are passed on to the directory below, as a lock of the open file (OFD), because that is what QEMU takes: so they hold
// between hosts, and vanish with the host. Nothing is cached on this side, or two hosts would see two truths. fsync does
// nothing: hosts die in the lab, the storage does not, and its memory is as good as a disk array's battery-backed one.
#include "fuse.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>

namespace {

int root = -1;  // the directory below; opened before anything is mounted over it

struct Open {
  int fd;
  uint64_t lock_owner = 0;  // who took locks through this open file
};

Open* handle(const fuse_file_info* info) { return reinterpret_cast<Open*>(info->fh); }
const char* below(const char* path) { return path[1] == 0 ? "." : path + 1; }
int result(int returned) { return returned < 0 ? -errno : 0; }

int get_attributes(const char* path, struct stat* out, fuse_file_info* info)
{
  return result(info ? fstat(handle(info)->fd, out) : fstatat(root, below(path), out, AT_SYMLINK_NOFOLLOW));
}

int open_with(const char* path, fuse_file_info* info, int flags, mode_t mode)
{
  // O_DIRECT wants aligned memory, which the requests that reach us are not in; the caller bypasses its own cache all the same.
  const int fd = openat(root, below(path), (flags & ~(O_DIRECT | O_SYNC | O_DSYNC)) | O_CLOEXEC, mode);
  if (fd < 0) return -errno;
  info->fh = reinterpret_cast<uint64_t>(new Open{fd});
  info->direct_io = 1;
  return 0;
}

int release(const char*, fuse_file_info* info)
{
  const std::unique_ptr<Open> file(handle(info));
  return result(close(file->fd));
}

int lock(const char*, fuse_file_info* info, int command, struct flock* range)
{
  Open* file = handle(info);
  range->l_pid = 0;
  if (command == F_GETLK) return result(fcntl(file->fd, F_OFD_GETLK, range));
  // libfuse unlocks everything whenever a descriptor of the file is closed, which is right for a process's locks and wrong for
  // those of an open file, of which another descriptor may be left. The owner tells them apart.
  if (range->l_type == F_UNLCK && file->lock_owner != info->lock_owner) return 0;
  if (range->l_type != F_UNLCK) file->lock_owner = info->lock_owner;
  return result(fcntl(file->fd, command == F_SETLKW ? F_OFD_SETLKW : F_OFD_SETLK, range));
}

int read_directory(const char* path, void* out, fuse_fill_dir_t fill, off_t, fuse_file_info*, fuse_readdir_flags)
{
  const int fd = openat(root, below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  DIR* directory = fdopendir(fd);
  if (!directory) return -errno;
  while (const dirent* entry = readdir(directory)) {
    struct stat st {};
    st.st_ino = entry->d_ino;
    st.st_mode = static_cast<mode_t>(entry->d_type) << 12;
    if (fill(out, entry->d_name, &st, 0, fuse_fill_dir_flags{})) break;
  }
  closedir(directory);
  return 0;
}

void* init(fuse_conn_info*, fuse_config* config)
{
  config->use_ino = 1;
  config->hard_remove = 1;
  config->entry_timeout = config->attr_timeout = config->negative_timeout = 0;
  return nullptr;
}

fuse_operations operations()
{
  fuse_operations op{};
  op.init = init;
  op.getattr = get_attributes;
  op.readdir = read_directory;
  op.open = [](const char* p, fuse_file_info* i) { return open_with(p, i, i->flags, 0); };
  op.create = [](const char* p, mode_t m, fuse_file_info* i) { return open_with(p, i, i->flags | O_CREAT, m); };
  op.release = release;
  op.read = [](const char*, char* to, size_t n, off_t at, fuse_file_info* i) {
    const ssize_t got = pread(handle(i)->fd, to, n, at);
    return got < 0 ? -errno : static_cast<int>(got);
  };
  op.write = [](const char*, const char* from, size_t n, off_t at, fuse_file_info* i) {
    const ssize_t put = pwrite(handle(i)->fd, from, n, at);
    return put < 0 ? -errno : static_cast<int>(put);
  };
  op.fsync = [](const char*, int, fuse_file_info*) { return 0; };
  op.fallocate = [](const char*, int mode, off_t at, off_t n, fuse_file_info* i) {
    return result(fallocate(handle(i)->fd, mode, at, n));
  };
  op.truncate = [](const char* p, off_t n, fuse_file_info* i) {
    if (i) return result(ftruncate(handle(i)->fd, n));
    const int fd = openat(root, below(p), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    const int status = result(ftruncate(fd, n));
    close(fd);
    return status;
  };
  op.lock = lock;
  op.flock = [](const char*, fuse_file_info* i, int how) { return result(flock(handle(i)->fd, how)); };
  op.mkdir = [](const char* p, mode_t m) { return result(mkdirat(root, below(p), m)); };
  op.mknod = [](const char* p, mode_t m, dev_t d) { return result(mknodat(root, below(p), m, d)); };
  op.unlink = [](const char* p) { return result(unlinkat(root, below(p), 0)); };
  op.rmdir = [](const char* p) { return result(unlinkat(root, below(p), AT_REMOVEDIR)); };
  op.rename = [](const char* from, const char* to, unsigned flags) {
    return result(renameat2(root, below(from), root, below(to), flags));
  };
  op.link = [](const char* from, const char* to) { return result(linkat(root, below(from), root, below(to), 0)); };
  op.symlink = [](const char* to, const char* p) { return result(symlinkat(to, root, below(p))); };
  op.readlink = [](const char* p, char* out, size_t n) {
    const ssize_t got = readlinkat(root, below(p), out, n - 1);
    if (got < 0) return -errno;
    out[got] = 0;
    return 0;
  };
  op.chmod = [](const char* p, mode_t m, fuse_file_info*) { return result(fchmodat(root, below(p), m, 0)); };
  op.chown = [](const char* p, uid_t u, gid_t g, fuse_file_info*) {
    return result(fchownat(root, below(p), u, g, AT_SYMLINK_NOFOLLOW));
  };
  op.utimens = [](const char* p, const timespec* t, fuse_file_info*) {
    return result(utimensat(root, below(p), t, AT_SYMLINK_NOFOLLOW));
  };
  op.statfs = [](const char*, struct statvfs* out) { return result(fstatvfs(root, out)); };
  return op;
}

}  // namespace

int main(int argc, char** argv)
{
  if (argc != 3) {
    std::fputs("usage: lab-storage DIRECTORY MOUNT_POINT\n", stderr);
    return 2;
  }
  root = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) {
    std::fprintf(stderr, "lab-storage: open %s: %s\n", argv[1], std::strerror(errno));
    return 1;
  }
  umask(0);
  // The subtype makes the type "fuse.glusterfs", one of the few that libvirt 9 knows to be shared between hosts. This one is,
  // and without it every live migration would have to be told that it is safe.
  return lab::serve(argv[0], argv[2], "fsname=lab-storage,subtype=glusterfs,allow_other", operations());
}
