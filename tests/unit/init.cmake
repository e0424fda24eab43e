# guestlink-init: parsers by tables; the link, jobs, processes and dispatch with the ways out of the
# test program (vsock, mount, reboot, kill) taken by the linker.
foreach(noun cmdline module_list swiotlb facts kmsg_record uevent target inet host_address mountinfo
        superblock credential notify spawn loop job exit_report pool_usage)
    guestlink_unit_test(init_${noun}_test init_${noun}_test.c LIBS init_core)
endforeach()

guestlink_unit_test(init_link_test init_link_test.c LIBS init_core)
target_link_options(init_link_test PRIVATE -Wl,--wrap=dial_open)

guestlink_unit_test(init_process_test init_process_test.c init_link_support.c LIBS init_core)

guestlink_unit_test(init_dispatch_test init_dispatch_test.c init_link_support.c LIBS init_core)
target_link_options(init_dispatch_test PRIVATE -Wl,--wrap=fork -Wl,--wrap=kill -Wl,--wrap=reboot
    -Wl,--wrap=sethostname -Wl,--wrap=mount -Wl,--wrap=ioctl -Wl,--wrap=sync)
