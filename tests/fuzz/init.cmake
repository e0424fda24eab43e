# What PID 1 reads: its kernel's command line, procfs, sysfs, uevents, and its image's module list.
if(TARGET init_core)
    foreach(name cmdline module_list uevent mountinfo sysfs target)
        guestlink_fuzz_target(${name} LIBS init_core)
    endforeach()
    guestlink_fuzz_target(inet LIBS init_core)
endif()
