
# Device hosts: QEMU (a real one, if it is installed), a program, nobody; 9P.
foreach(noun none command child qmp p9 qemu)
    guestlink_unit_test(hostd_devices_${noun}_test
        hostd_devices_${noun}_test.c hostd_devices_support.c LIBS hostd_core)
endforeach()
foreach(noun config policy store telemetry)
    guestlink_unit_test(hostd_${noun}_test hostd_${noun}_test.c LIBS hostd_core)
endforeach()
