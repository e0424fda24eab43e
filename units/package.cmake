# Debian packages: `cpack` in a build folder configured with -DCMAKE_INSTALL_PREFIX=/usr.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME guestlink)
set(CPACK_PACKAGE_VENDOR guestlink)
set(GUESTLINK_MAINTAINER "The guestlink authors <guestlink@localhost>" CACHE STRING
    "Who answers for packages made here: name and address")
set(CPACK_PACKAGE_CONTACT "${GUESTLINK_MAINTAINER}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "virtio devices by what a guest's kernel can do")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL hostd ctl init)
if(TARGET guestlink-libvirt)
    list(APPEND CPACK_COMPONENTS_ALL libvirt)
endif()
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_HOSTD_PACKAGE_NAME guestlink-hostd)
set(CPACK_DEBIAN_HOSTD_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_HOSTD_PACKAGE_DEPENDS "systemd, passwd, guestlinkctl (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_HOSTD_PACKAGE_RECOMMENDS
    "qemu-system-x86, virtiofsd | qemu-system-common")
set(CPACK_DEBIAN_HOSTD_PACKAGE_SUGGESTS "guestlink-init, diod, passt, logrotate")
set(CPACK_COMPONENT_HOSTD_DESCRIPTION
    "This is the host daemon.
guestlink-hostd takes the capabilities that a guest's PID 1 sends over vsock,
checks them, and gives each virtiofs share and each virtio-net adapter of
that guest its own bounce buffer token and mount or address.")
set(CPACK_DEBIAN_HOSTD_PACKAGE_CONTROL_EXTRA "")
foreach(script postinst prerm postrm conffiles)
    configure_file(${CMAKE_CURRENT_LIST_DIR}/deb/hostd.${script}
        ${PROJECT_BINARY_DIR}/deb/hostd/${script} COPYONLY)
    list(APPEND CPACK_DEBIAN_HOSTD_PACKAGE_CONTROL_EXTRA ${PROJECT_BINARY_DIR}/deb/hostd/${script})
endforeach()

set(CPACK_DEBIAN_CTL_PACKAGE_NAME guestlinkctl)
set(CPACK_DEBIAN_CTL_PACKAGE_SHLIBDEPS ON)
# guestlink run takes the daemon, the guest's side and QEMU; guestlinkctl takes none of them.
set(CPACK_DEBIAN_CTL_PACKAGE_RECOMMENDS
    "guestlink-hostd, guestlink-init, qemu-system-x86, busybox-static, virtiofsd | qemu-system-common")
set(CPACK_COMPONENT_CTL_DESCRIPTION
    "These are the commands for people.
guestlinkctl lists guests, shows what they can do and which devices they have,
adds and removes shares, runs commands in them, and reads telemetry.
guestlink run starts a virtual machine for one command, as an ordinary user.")

set(CPACK_DEBIAN_LIBVIRT_PACKAGE_NAME guestlink-libvirt)
set(CPACK_DEBIAN_LIBVIRT_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBVIRT_PACKAGE_DEPENDS "guestlink-hostd (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_LIBVIRT_PACKAGE_RECOMMENDS "libvirt-daemon-system")
set(CPACK_COMPONENT_LIBVIRT_DESCRIPTION
    "This is for virtual machines that libvirt runs.
guestlink-hostd starts guestlink-libvirt, which gives a domain of libvirt's
its virtiofs shares and network adapters, and tells what becomes of them.")

set(CPACK_DEBIAN_INIT_PACKAGE_NAME guestlink-init)
set(CPACK_DEBIAN_INIT_PACKAGE_DEPENDS "kmod, cpio")
set(CPACK_DEBIAN_INIT_PACKAGE_RECOMMENDS "zstd, xz-utils")
set(CPACK_COMPONENT_INIT_DESCRIPTION
    "This is the side of the guest.
guestlink-init is a small static PID 1 for Linux virtual machines: it tells
the host what the guest kernel can do and then does what the host asks. The
package has guestlink-mkinitramfs, which makes an image of it in one command.")

# What every Debian package carries, a copy in each. cpack compresses it, and the manuals.
configure_file(${CMAKE_CURRENT_LIST_DIR}/deb/changelog.in ${PROJECT_BINARY_DIR}/deb/changelog @ONLY)
foreach(component ${CPACK_COMPONENTS_ALL})
    string(TOUPPER ${component} upper)
    set(doc ${CMAKE_INSTALL_DATAROOTDIR}/doc/${CPACK_DEBIAN_${upper}_PACKAGE_NAME})
    install(FILES ${PROJECT_BINARY_DIR}/deb/changelog ${CMAKE_CURRENT_LIST_DIR}/deb/copyright
        DESTINATION ${doc} COMPONENT ${component} EXCLUDE_FROM_ALL)
    install(FILES ${CMAKE_CURRENT_LIST_DIR}/deb/${component}.lintian
        DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/lintian/overrides
        RENAME ${CPACK_DEBIAN_${upper}_PACKAGE_NAME} COMPONENT ${component} EXCLUDE_FROM_ALL)
endforeach()
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/deb/compress.cmake)

include(CPack)
