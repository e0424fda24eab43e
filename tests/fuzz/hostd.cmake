# What the daemon reads: its configuration, guests as sequences of frames, operators' calls, QEMU, libvirt;
# and what guestlinkctl reads of it.
if(TARGET hostd_core)
    foreach(name config session varlink text qmp domain)
        guestlink_fuzz_target(${name} LIBS hostd_core)
    endforeach()
    foreach(program replay_domain fuzz_domain) # guestlink-libvirt is played
        if(TARGET ${program})
            target_link_options(${program} PRIVATE -Wl,--wrap=domain_program_start)
        endif()
    endforeach()
endif()
# What the relay hears from QEMU and virtiofsd.
if(TARGET relay_core)
    guestlink_fuzz_target(relay LIBS relay_core)
endif()
if(TARGET ctl_core)
    guestlink_fuzz_target(telemetry LIBS ctl_core)
    guestlink_fuzz_target(since LIBS ctl_core)
endif()
