// SPDX-License-Identifier: Apache-2.0
#include "emulation/fiber.h"

#include <new>

#include <boost/context/detail/fcontext.hpp>
#include <sys/mman.h>
#include <unistd.h>

#include "emulation/sanitizer.h"

namespace touchstone::emulation {
namespace {

namespace context = boost::context::detail;

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

/// Frames at the same offset of every stack would share few cache sets; so many bytes lie between those of two colours.
constexpr std::size_t colour_stride = 320;
constexpr std::size_t colours = 12;

}  // namespace

/// Handed over at a switch: who was left, who is entered.
struct Fiber::Arrival {
  Fiber* from;
  Fiber* to;
  void* from_context;
};

Fiber::Fiber(std::size_t stack_bytes, std::size_t colour, Entry entry)
    : mapping_bytes_(stack_bytes + page_bytes()), colour_(colour % colours), entry_(entry) {
  void* const memory = mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  mapping_ = static_cast<std::byte*>(memory);
  bottom_ = mapping_ + page_bytes();
  bytes_ = stack_bytes;
  if (mprotect(mapping_ + page_bytes(), stack_bytes, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping_, mapping_bytes_);
    throw std::bad_alloc();
  }
  restart();
}

Fiber::~Fiber() {
  if (mapping_ != nullptr) {
    unpoison(bottom_, bytes_);
    munmap(mapping_, mapping_bytes_);
  }
}

void Fiber::restart() {
  unpoison(bottom_, bytes_);
  fake_stack_ = nullptr;
  const std::size_t used = colour_ * colour_stride;
  context_ = context::make_fcontext(mapping_ + mapping_bytes_ - used, bytes_ - used, [](context::transfer_t transfer) {
    Arrival arrival = *static_cast<Arrival*>(transfer.data);
    arrival.from_context = transfer.fctx;
    arrive(arrival);
    arrival.to->entry_();
  });
}

void Fiber::arrive(const Arrival& arrival) {
  arrival.from->context_ = arrival.from_context;
  // The bounds of a host thread's own stack are known only once it has been left.
  finish_switch(arrival.to->fake_stack_, &arrival.from->bottom_, &arrival.from->bytes_);
}

void Fiber::switch_to(Fiber& to) {
  Arrival departure = {this, &to, nullptr};
  start_switch(&fake_stack_, to.bottom_, to.bytes_);
  const context::transfer_t transfer = context::jump_fcontext(to.context_, &departure);
  Arrival arrival = *static_cast<Arrival*>(transfer.data);
  arrival.from_context = transfer.fctx;
  arrive(arrival);
}

}  // namespace touchstone::emulation
