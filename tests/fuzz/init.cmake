# What PID 1 reads: its kernel's command line, log, procfs, sysfs and uevents, its image's module
# list, the VM manager's credentials, and disks.
if(TARGET init_core)
    foreach(name cmdline credential gpt inet kmsg module_list mountinfo superblock sysfs target uevent)
        guestlink_fuzz_target(${name} LIBS init_core)
    endforeach()
endif()
