
# Device hosts: QEMU (a real one, if it is installed), a program, nobody; 9P.
foreach(noun none command child qmp p9 qemu)
    guestlink_unit_test(hostd_devices_${noun}_test hostd_devices_${noun}_test.c
        hostd_devices_played.c hostd_devices_support.c LIBS hostd_core)
endforeach()
guestlink_unit_test(hostd_devices_lies_test hostd_devices_lies_test.c
    hostd_devices_played.c hostd_devices_support.c LIBS hostd_core)
guestlink_unit_test(hostd_qmp_socket_test hostd_qmp_socket_test.c LIBS hostd_core)
# They find what is guestlink's own in PATH.
set_tests_properties(hostd_devices_qemu_test hostd_devices_p9_test PROPERTIES
    ENVIRONMENT "PATH=$<TARGET_FILE_DIR:guestlink-virtiofs-relay>:$ENV{PATH}")
guestlink_unit_test(hostd_devices_launch_test
    hostd_devices_launch_test.c hostd_devices_support.c LIBS hostd_core)
set_tests_properties(hostd_devices_launch_test PROPERTIES
    ENVIRONMENT "PATH=$<TARGET_FILE_DIR:guestlink-launch>:$ENV{PATH}")
guestlink_unit_test(hostd_jail_test
    hostd_jail_test.c hostd_devices_support.c LIBS hostd_core)
foreach(noun console_log guest_cid own_filter)
    guestlink_unit_test(hostd_run_${noun}_test hostd_run_${noun}_test.c LIBS run_core)
endforeach()
guestlink_unit_test(hostd_relay_test hostd_relay_test.c
    ${PROJECT_SOURCE_DIR}/hostd/relay/descriptor.c
    ${PROJECT_SOURCE_DIR}/hostd/relay/session.c ${PROJECT_SOURCE_DIR}/hostd/relay/vhost_user.c)
guestlink_unit_test(hostd_relay_run_test hostd_relay_run_test.c
    ${PROJECT_SOURCE_DIR}/hostd/relay/vhost_user.c)
set_tests_properties(hostd_relay_run_test PROPERTIES
    ENVIRONMENT "PATH=$<TARGET_FILE_DIR:guestlink-virtiofs-relay>:$ENV{PATH}")
foreach(noun config json_line policy store telemetry varlink)
    guestlink_unit_test(hostd_${noun}_test hostd_${noun}_test.c LIBS hostd_core)
endforeach()
guestlink_unit_test(hostd_ctl_test hostd_ctl_test.c LIBS ctl_core)
guestlink_unit_test(hostd_ctl_doctor_test hostd_ctl_doctor_test.c LIBS ctl_core)
guestlink_unit_test(hostd_control_peer_test hostd_control_peer_test.c LIBS hostd_core)
guestlink_unit_test(hostd_vm_silence_test hostd_vm_silence_test.c LIBS hostd_core)
foreach(noun session boot parts connection guest listener)
    guestlink_unit_test(hostd_core_${noun}_test hostd_core_${noun}_test.c LIBS hostd_core)
endforeach()
foreach(noun vm lost ends report handshake)
    guestlink_unit_test(hostd_core_${noun}_test
        hostd_core_${noun}_test.c hostd_core_vm_support.c LIBS hostd_core)
endforeach()
add_test(NAME hostd_ctl_commands
    COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/hostd_ctl_commands $<TARGET_FILE_DIR:guestlinkctl>)
set_tests_properties(hostd_ctl_commands PROPERTIES TIMEOUT 900 COST 20)
