# SPDX-License-Identifier: Apache-2.0
# Run by CPack on the staged files, in script mode.
set(root ${CPACK_TEMPORARY_INSTALL_DIRECTORY})

# One version of the source gives one package, byte for byte: every time in it is the commit's.
set(epoch $ENV{SOURCE_DATE_EPOCH})
if(NOT epoch)
  execute_process(COMMAND git -C ${CPACK_RACKLINE_SOURCE} log -1 --format=%ct OUTPUT_VARIABLE epoch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(NOT epoch)
  set(epoch 0) # neither git nor told
endif()
set(ENV{SOURCE_DATE_EPOCH} ${epoch})

function(run)
  execute_process(COMMAND ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(MAKE_DIRECTORY ${root}/etc/rackline/person.d ${root}/etc/default ${root}/etc/logrotate.d ${root}/usr/share/lintian/overrides ${root}/lib)
file(COPY ${CPACK_RACKLINE_DEBIAN}/config.toml DESTINATION ${root}/etc/rackline)
foreach(unit agent balance capwatch failover)
  configure_file(${CPACK_RACKLINE_DEBIAN}/default-${unit} ${root}/etc/default/rackline-${unit} COPYONLY)
endforeach()
configure_file(${CPACK_RACKLINE_SOURCE}/packaging/rackline.logrotate ${root}/etc/logrotate.d/rackline COPYONLY)
configure_file(${CPACK_RACKLINE_DEBIAN}/lintian-overrides ${root}/usr/share/lintian/overrides/rackline COPYONLY)
file(RENAME ${root}/usr/lib/systemd ${root}/lib/systemd)
file(RENAME ${root}/usr/share/zsh/site-functions ${root}/usr/share/zsh/vendor-completions)

set(doc ${root}/usr/share/doc/rackline)
file(COPY ${CPACK_RACKLINE_DEBIAN}/copyright DESTINATION ${doc})
execute_process(COMMAND date -u -R -d @${epoch} OUTPUT_VARIABLE date OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
file(WRITE ${doc}/changelog.Debian
     "rackline (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium\n\n  * Version ${CPACK_PACKAGE_VERSION}.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
file(GLOB compressed ${root}/usr/share/man/man*/* ${doc}/changelog.Debian)
run(gzip -9n ${compressed})

run(chmod -R u=rwX,go=rX ${root})
run(find ${root} -exec touch -h -d @${epoch} {} +)
