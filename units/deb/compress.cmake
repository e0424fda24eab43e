# Before cpack makes a package: manuals and changelogs are compressed, as Debian wants them, and
# without a date, so that the same input gives the same bytes; programs lose the compiler's name.
file(GLOB_RECURSE texts ${CPACK_TEMPORARY_DIRECTORY}/*)
list(FILTER texts INCLUDE REGEX "/man/man[1-8]/[^/]*[1-8]$|/changelog$")
foreach(text IN LISTS texts)
    execute_process(COMMAND gzip -9 -n -f ${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
file(GLOB_RECURSE programs ${CPACK_TEMPORARY_DIRECTORY}/*)
list(FILTER programs INCLUDE REGEX "/(s?bin|libexec/guestlink)/[^/]*$")
foreach(program IN LISTS programs)
    file(READ ${program} magic LIMIT 4 HEX)
    if(magic STREQUAL "7f454c46")
        execute_process(COMMAND strip --strip-unneeded --remove-section=.comment ${program}
            COMMAND_ERROR_IS_FATAL ANY)
    endif()
endforeach()
