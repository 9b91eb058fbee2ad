/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1 of a practice guest: a witness that says whether it was moved, restarted or damaged.
 *
 * It counts, and keeps the count on its disk; it rewrites memory and disk with what it can check later; and
 * it tells what it found to whoever asks over the network. A guest that merely runs would not notice a page
 * that a migration lost, a write that never arrived or a second copy of itself, and those are the faults that
 * the tests look for.
 *
 * Kernel arguments: name= ip= cpu= dirty_mb= dirty_rate= (MB/s, 0 = as fast as it can) tick_ms=
 * Network, UDP and TCP port 7000, one line each way:
 *   "ask"                                   -> the answer, one JSON object
 *   "load cpu=P dirty_mb=N dirty_rate=R"    -> sets what is named, then the answer
 *
 * Disk: block 0 is the header (who booted last, how often, the count), then RING blocks in which block k
 * holds the newest write number s with s % RING == k. Every write is checksummed and tagged with the random
 * id of the boot that made it. The header is written after the block it counts, so that at boot each block
 * must hold its expected number.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, RING = 64, PORT = 7000, MAGIC = 0x4c41424b };

static char name[64] = "guest", address[32];
static atomic_long load_cpu, load_dirty_mb, load_dirty_rate;
static atomic_ulong count, pages_dirtied, memory_errors, disk_errors, disk_stall_ms, split_brain, cpu_work;
static unsigned long boots = 1;
static uint64_t boot_id;

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void sleep_ms(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) && errno == EINTR) {
  }
}

/* The console is a slow serial line: faults are told once per hundred, or the telling would change what is
 * measured. */
static void complain(atomic_ulong* counter, const char* format, ...) {
  if (atomic_fetch_add(counter, 1) % 100 != 0) return;
  va_list args;
  va_start(args, format);
  printf("FAULT ");
  vprintf(format, args);
  va_end(args);
  putchar('\n');
}

static long number_after(const char* text, const char* key, long otherwise) {
  const char* at = strstr(text, key);
  return at ? atol(at + strlen(key)) : otherwise;
}

static void word_after(const char* text, const char* key, char* out, size_t size) {
  const char* at = strstr(text, key);
  if (!at) return;
  at += strlen(key);
  size_t n = strcspn(at, " \n");
  if (n >= size) n = size - 1;
  memcpy(out, at, n);
  out[n] = 0;
}

static void set_load(const char* text) {
  load_cpu = number_after(text, "cpu=", load_cpu);
  load_dirty_mb = number_after(text, "dirty_mb=", load_dirty_mb);
  load_dirty_rate = number_after(text, "dirty_rate=", load_dirty_rate);
}

/* ---- memory: every page carries the version of the pass that wrote it, at a place that depends on the page
 * ---- */

static void* dirty_memory(void* unused) {
  (void)unused;
  volatile uint64_t* area = NULL;
  size_t pages = 0;
  uint64_t version = 0, started = 0, done = 0;
  long rate = -1;
  for (size_t i = 0;; i++) {
    size_t wanted = (size_t)load_dirty_mb * 256;
    if (wanted != pages) {
      if (area) munmap((void*)area, pages * BLOCK);
      area = NULL;
      pages = version = i = 0;
      if (wanted) {
        void* got = mmap(NULL, wanted * BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (got == MAP_FAILED) {
          load_dirty_mb = 0;
        } else {
          area = got;
          pages = wanted;
        }
      }
      started = now_ms(), done = 0;
    }
    if (!pages) {
      sleep_ms(50);
      continue;
    }
    if (i >= pages) i = 0;
    if (i == 0) version++;
    volatile uint64_t* word = area + i * (BLOCK / 8) + (i * 7) % (BLOCK / 8);
    if (*word != (version - 1) * (i + 1))
      complain(&memory_errors, "memory page=%zu have=%llu want=%llu", i, (unsigned long long)*word,
               (unsigned long long)((version - 1) * (i + 1)));
    *word = version * (i + 1);
    atomic_fetch_add(&pages_dirtied, 1);
    done++;
    if (rate != load_dirty_rate) rate = load_dirty_rate, started = now_ms(), done = 0;
    if (rate > 0 && done % 16 == 0) {
      uint64_t due = done * 1000 / ((uint64_t)rate * 256), spent = now_ms() - started;
      if (due > spent) sleep_ms((long)(due - spent));
      if (spent > due + 1000) started = now_ms(), done = 0; /* after a pause: no catching up */
    }
  }
  return NULL;
}

/* ---- CPU: each thread is busy for its share of every 100 ms ---- */

static void* burn_cpu(void* unused) {
  (void)unused;
  for (;;) {
    long busy = load_cpu;
    if (busy <= 0) {
      sleep_ms(100);
      continue;
    }
    uint64_t until = now_ms() + (uint64_t)(busy > 100 ? 100 : busy);
    while (now_ms() < until) {
      for (volatile int i = 0; i < 2000; i++) {
      }
      cpu_work++; /* what it got done tells how much CPU it really had */
    }
    if (busy < 100) sleep_ms(100 - busy);
  }
  return NULL;
}

/* ---- disk ---- */

struct block {
  uint32_t magic, kind; /* kind: 0 header, 1 data */
  uint64_t boot_id, boots, sequence, sum;
};

static uint64_t checksum(const unsigned char* bytes, size_t size) {
  uint64_t sum = 1469598103934665603u; /* FNV-1a over words: it must be fast on an emulated CPU */
  for (size_t i = 0; i + 8 <= size; i += 8) {
    uint64_t word;
    memcpy(&word, bytes + i, 8);
    sum = (sum ^ word) * 1099511628211u;
  }
  return sum;
}

static int disk = -1;
static unsigned char* buffer;
static uint64_t expected[RING]; /* the write number that each block must hold; 0 = not written yet */

static int block_io(int writing, off_t at) {
  uint64_t start = now_ms();
  ssize_t n = writing ? pwrite(disk, buffer, BLOCK, at) : pread(disk, buffer, BLOCK, at);
  uint64_t took = now_ms() - start;
  if (took > disk_stall_ms) disk_stall_ms = took;
  if (n == BLOCK) return 0;
  complain(&disk_errors, "disk %s at=%lld: %s", writing ? "write" : "read", (long long)at,
           n < 0 ? strerror(errno) : "short");
  return -1;
}

static int write_block(uint32_t kind, uint64_t sequence, off_t at) {
  struct block b = {MAGIC, kind, boot_id, boots, sequence, 0};
  memset(buffer + sizeof b, (int)(sequence * 31 + 7) & 0xff, BLOCK - sizeof b);
  memcpy(buffer, &b, sizeof b);
  b.sum = checksum(buffer, BLOCK);
  memcpy(buffer, &b, sizeof b);
  return block_io(1, at);
}

/* 1: a sound block of ours; 0: never written; -1: damaged */
static int read_block(struct block* b, off_t at) {
  if (block_io(0, at)) return -1;
  memcpy(b, buffer, sizeof *b);
  if (b->magic == 0 && b->sum == 0) return 0;
  uint64_t sum = b->sum;
  struct block zeroed = *b;
  zeroed.sum = 0;
  memcpy(buffer, &zeroed, sizeof zeroed);
  if (b->magic != MAGIC || sum != checksum(buffer, BLOCK)) {
    complain(&disk_errors, "disk at=%lld: damaged block", (long long)at);
    return -1;
  }
  return 1;
}

static off_t place(uint64_t sequence) {
  return (off_t)(1 + sequence % RING) * BLOCK;
}

static void open_disk(void) {
  for (int i = 0; i < 60 && disk < 0; i++) {
    disk = open("/dev/vda", O_RDWR | O_DIRECT | O_SYNC);
    if (disk < 0) sleep_ms(50);
  }
  buffer = aligned_alloc(BLOCK, BLOCK);
  if (disk < 0 || !buffer) return;
  struct block head;
  int known = read_block(&head, 0);
  if (known != 1) return;
  boots = (unsigned long)head.boots + 1;
  count = head.sequence;
  for (uint64_t k = 0; k < RING; k++) {
    struct block b;
    int state = read_block(&b, (off_t)(1 + k) * BLOCK);
    /* the newest number up to the header's that belongs here; the death of the last boot may have left one
     * more */
    uint64_t want = head.sequence - (head.sequence + RING - k) % RING;
    if (head.sequence < (head.sequence + RING - k) % RING) want = 0;
    if (state == 1 && (b.sequence == want || b.sequence == head.sequence + 1)) {
      expected[k] = b.sequence;
    } else if (state == 1 || (state == 0 && want != 0)) {
      complain(&disk_errors, "disk block=%llu holds=%llu want=%llu", (unsigned long long)k,
               (unsigned long long)(state == 1 ? b.sequence : 0), (unsigned long long)want);
    }
  }
}

/* One tick: is the header still ours? write the next block and the header, check one older block. */
static void use_disk(uint64_t sequence) {
  struct block b;
  static int owned;
  if (owned && read_block(&b, 0) == 1 && b.boot_id != boot_id)
    /* go on writing: a real second copy would, and so the other one notices too */
    complain(&split_brain, "split brain: boot %llu also writes this disk", (unsigned long long)b.boots);
  if (write_block(1, sequence, place(sequence)) == 0) expected[sequence % RING] = sequence;
  if (write_block(0, sequence, 0) == 0) owned = 1;
  uint64_t k = (sequence * 97) % RING;
  if (expected[k]) {
    int state = read_block(&b, (off_t)(1 + k) * BLOCK);
    if (state == 0 || (state == 1 && b.sequence != expected[k]))
      complain(&disk_errors, "disk block=%llu holds=%llu want=%llu", (unsigned long long)k,
               (unsigned long long)(state ? b.sequence : 0), (unsigned long long)expected[k]);
  }
}

/* ---- network ---- */

static int answer(const char* request, char* out, size_t size) {
  if (!strncmp(request, "load", 4)) set_load(request);
  return snprintf(
      out, size,
      "{\"vm\":\"%s\",\"count\":%lu,\"boots\":%lu,\"boot_id\":\"%016llx\",\"uptime_ms\":%llu,\"corrupt\":%lu,"
      "\"memory_errors\":%lu,\"disk_errors\":%lu,\"split_brain\":%lu,\"disk_stall_ms\":%lu,\"pages_dirtied\":"
      "%lu,\"cpu_work\":%lu,"
      "\"cpu_percent\":%ld,\"dirty_mb\":%ld,\"dirty_rate_mbps\":%ld}\n",
      name, count, boots, (unsigned long long)boot_id, (unsigned long long)now_ms(),
      memory_errors + disk_errors + split_brain, memory_errors, disk_errors, split_brain, disk_stall_ms,
      pages_dirtied, cpu_work, load_cpu, load_dirty_mb, load_dirty_rate);
}

static void* serve_udp(void* unused) {
  (void)unused;
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
  if (bind(s, (struct sockaddr*)&at, sizeof at)) return NULL;
  for (;;) {
    char in[512], out[1024];
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    ssize_t n = recvfrom(s, in, sizeof in - 1, 0, (struct sockaddr*)&from, &size);
    if (n < 0) continue;
    in[n] = 0;
    int length = answer(in, out, sizeof out);
    sendto(s, out, (size_t)length, 0, (struct sockaddr*)&from, size);
  }
  return NULL;
}

static void* serve_connection(void* socket_value) {
  int c = (int)(intptr_t)socket_value, one = 1;
  setsockopt(c, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  FILE* in = fdopen(c, "r");
  char line[512], out[1024];
  while (in && fgets(line, sizeof line, in)) {
    int length = answer(line, out, sizeof out);
    if (write(c, out, (size_t)length) != length) break;
  }
  if (in)
    fclose(in);
  else
    close(c);
  return NULL;
}

static void* serve_tcp(void* unused) {
  (void)unused;
  int s = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(PORT)};
  if (bind(s, (struct sockaddr*)&at, sizeof at) || listen(s, 8)) return NULL;
  for (;;) {
    int c = accept(s, NULL, NULL);
    pthread_t t;
    if (c >= 0 && pthread_create(&t, NULL, serve_connection, (void*)(intptr_t)c) == 0)
      pthread_detach(t);
    else if (c >= 0)
      close(c);
  }
  return NULL;
}

static int set_address(const char* interface, const char* ip) {
  int s = socket(AF_INET, SOCK_DGRAM, 0), failed;
  struct ifreq r;
  memset(&r, 0, sizeof r);
  snprintf(r.ifr_name, sizeof r.ifr_name, "%s", interface);
  struct sockaddr_in a = {.sin_family = AF_INET};
  inet_aton(ip, &a.sin_addr);
  memcpy(&r.ifr_addr, &a, sizeof a);
  failed = ioctl(s, SIOCSIFADDR, &r);
  inet_aton("255.255.255.0", &a.sin_addr);
  memcpy(&r.ifr_netmask, &a, sizeof a);
  failed |= ioctl(s, SIOCSIFNETMASK, &r);
  memset(&r.ifr_addr, 0, sizeof r.ifr_addr);
  r.ifr_flags = IFF_UP | IFF_RUNNING;
  failed |= ioctl(s, SIOCSIFFLAGS, &r);
  close(s);
  return failed;
}

static void start(void* (*work)(void*)) {
  pthread_t t;
  if (pthread_create(&t, NULL, work, NULL)) printf("FAULT no thread\n");
}

static void load_modules(void) {
  static const char* modules[] = {"virtio",
                                  "virtio_ring",
                                  "virtio_pci_legacy_dev",
                                  "virtio_pci_modern_dev",
                                  "virtio_pci",
                                  "virtio_blk",
                                  "failover",
                                  "net_failover",
                                  "virtio_net",
                                  "virtio_balloon"};
  enum { COUNT = sizeof modules / sizeof *modules, PASSES = 4 };
  int loaded[COUNT] = {0};
  /* which needs which differs from kernel to kernel: what fails for want of another is tried again after that
   */
  for (int pass = 1; pass <= PASSES; pass++)
    for (int i = 0; i < COUNT; i++) {
      char path[128];
      if (loaded[i]) continue;
      snprintf(path, sizeof path, "/modules/%s.ko", modules[i]);
      int f = open(path, O_RDONLY | O_CLOEXEC);
      loaded[i] = f < 0 || syscall(SYS_finit_module, f, "", 0) == 0 || errno == EEXIST;
      if (!loaded[i] && pass == PASSES) printf("FAULT module %s: %s\n", modules[i], strerror(errno));
      if (f >= 0) close(f);
    }
}

int main(void) {
  mkdir("/proc", 0755), mkdir("/sys", 0755), mkdir("/dev", 0755);
  mount("proc", "/proc", "proc", 0, "");
  mount("sysfs", "/sys", "sysfs", 0, "");
  mount("dev", "/dev", "devtmpfs", 0, "");
  int console = open("/dev/console", O_RDWR);
  for (int fd = 0; console >= 0 && fd < 3; fd++) dup2(console, fd);
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGPIPE, SIG_IGN);

  char arguments[4096] = {0};
  int f = open("/proc/cmdline", O_RDONLY);
  if (read(f, arguments, sizeof arguments - 1) < 0) arguments[0] = 0;
  close(f);
  load_modules();
  word_after(arguments, " name=", name, sizeof name);
  word_after(arguments, " ip=", address, sizeof address);
  set_load(arguments);
  long tick_ms = number_after(arguments, "tick_ms=", 100);
  while (getrandom(&boot_id, sizeof boot_id, 0) != sizeof boot_id) {
  }

  open_disk();
  printf("GUEST-UP name=%s boot=%lu resumed=%lu disk=%s uptime_ms=%llu\n", name, boots, count,
         disk >= 0 ? "yes" : "no", (unsigned long long)now_ms());
  if (address[0]) {
    int failed = -1;
    for (int i = 0; i < 60 && failed; i++, failed && (sleep_ms(50), 0)) failed = set_address("eth0", address);
    set_address("lo", "127.0.0.1");
    printf("NETWORK %s %s\n", address, failed ? strerror(errno) : "up");
  }
  start(serve_udp);
  start(serve_tcp);
  start(dirty_memory);
  for (long i = sysconf(_SC_NPROCESSORS_ONLN); i > 0; i--) start(burn_cpu);

  for (uint64_t next = now_ms();;) {
    uint64_t sequence = ++count;
    if (disk >= 0) use_disk(sequence);
    printf("TICK count=%llu boot=%lu uptime_ms=%llu dirtied=%lu corrupt=%lu\n", (unsigned long long)sequence,
           boots, (unsigned long long)now_ms(), pages_dirtied, memory_errors + disk_errors + split_brain);
    next += (uint64_t)tick_ms;
    uint64_t now = now_ms();
    if (next > now)
      sleep_ms((long)(next - now));
    else
      next = now; /* after a pause: no burst of late ticks */
  }
}
