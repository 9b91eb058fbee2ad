# SPDX-License-Identifier: Apache-2.0
# Flags that every target of ours gets through the interface library rackline_flags.
add_library(rackline_flags INTERFACE)
target_compile_options(
  rackline_flags
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wnon-virtual-dtor
            -Woverloaded-virtual
            -Wold-style-cast
            -Wformat=2
            -Wimplicit-fallthrough
            -Werror
            -fstack-protector-strong
            -fcf-protection)
target_compile_definitions(rackline_flags INTERFACE _GLIBCXX_ASSERTIONS $<$<NOT:$<CONFIG:Debug>>:_FORTIFY_SOURCE=2>)
target_include_directories(rackline_flags INTERFACE ${PROJECT_SOURCE_DIR}/lib)
# Names of functions and lines, which is what a backtrace needs: with variables and types debug information takes a
# fifth of a build.
if(CMAKE_BUILD_TYPE STREQUAL RelWithDebInfo)
  target_compile_options(rackline_flags INTERFACE -g1)
endif()
# The programs are short-lived and link one another's libraries statically: sections that nothing uses go.
target_compile_options(rackline_flags INTERFACE -ffunction-sections -fdata-sections)
target_link_options(rackline_flags INTERFACE -Wl,--gc-sections -Wl,--as-needed -Wl,-z,relro,-z,now)
# gold, which comes with binutils, takes half of the CPU time of their other linker.
include(CheckLinkerFlag)
check_linker_flag(CXX -fuse-ld=gold rackline_has_gold)
if(rackline_has_gold)
  target_link_options(rackline_flags INTERFACE -fuse-ld=gold)
endif()
if(RACKLINE_SANITIZE)
  # Among what the sanitizers add GCC takes the insides of std::regex for uninitialised.
  target_compile_options(rackline_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
                                                  -Wno-maybe-uninitialized)
  target_link_options(rackline_flags INTERFACE -fsanitize=address,undefined)
endif()

# Parsed once: what most files include anyway. A file says what it uses all the same.
set(rackline_std_headers
    <algorithm>
    <chrono>
    <condition_variable>
    <cstdint>
    <functional>
    <map>
    <memory>
    <mutex>
    <optional>
    <set>
    <string>
    <string_view>
    <thread>
    <utility>
    <variant>
    <vector>)

# What waits for hosts, controllers and disks is compiled for size: that takes a quarter off its compile time and nearly
# half off its code. What reckons is compiled for speed.
set(rackline_small proc net probe store act cluster cli bmc observe migrate heartbeat fence failover)
set(rackline_small_options $<$<CONFIG:RelWithDebInfo,Release>:-Os>)

# rackline_library(FOLDER USES...): lib/FOLDER as the static library rackline_FOLDER, from every .cc in it.
# What it uses must stand above it in the order of lib/CMakeLists.txt.
function(rackline_library name)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_library(rackline_${name} STATIC ${sources})
  target_link_libraries(rackline_${name} PUBLIC rackline_flags ${ARGN})
  # The first of each kind compiles the headers for the others.
  if(name IN_LIST rackline_small)
    target_compile_options(rackline_${name} PRIVATE ${rackline_small_options})
    set(first proc)
  else()
    set(first base)
  endif()
  if(name STREQUAL first)
    target_precompile_headers(rackline_${name} PRIVATE ${rackline_std_headers})
  else()
    target_precompile_headers(rackline_${name} REUSE_FROM rackline_${first})
  endif()
endfunction()

# rackline_program(KIND NAME USES...): the program built from KIND/NAME.cc.
function(rackline_program kind name)
  add_executable(${name} ${kind}/${name}.cc)
  target_link_libraries(${name} PRIVATE rackline_cli ${ARGN})
  target_precompile_headers(${name} REUSE_FROM rackline_base)
  install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  set_property(GLOBAL APPEND PROPERTY rackline_programs ${name})
endfunction()
