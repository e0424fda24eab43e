# Before cpack makes a package: manuals and changelogs are compressed, as Debian wants them, and
# without a date, so that the same input gives the same bytes.
file(GLOB_RECURSE texts ${CPACK_TEMPORARY_DIRECTORY}/*)
list(FILTER texts INCLUDE REGEX "/man/man[1-8]/[^/]*[1-8]$|/changelog$")
foreach(text IN LISTS texts)
    execute_process(COMMAND gzip -9 -n -f ${text} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
