# What the daemon reads: its configuration, guests as sequences of frames, operators' calls, QEMU.
if(TARGET hostd_core)
    foreach(name config session varlink text qmp)
        guestlink_fuzz_target(${name} LIBS hostd_core)
    endforeach()
endif()
