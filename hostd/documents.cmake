# Manuals, the interface description, and what shells complete; each where its reader looks.
install(FILES guestlink-hostd.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT hostd)
install(FILES guestlink-hostd.json.5 DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 COMPONENT hostd)
if(TARGET guestlink-libvirt)
    install(FILES guestlink-libvirt.8 DESTINATION ${CMAKE_INSTALL_MANDIR}/man8 COMPONENT libvirt)
endif()
install(FILES ctl/guestlinkctl.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ctl)
install(FILES once/guestlink.1 once/guestlink-run.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT ctl)
install(FILES control/io.guestlink.varlink DESTINATION ${CMAKE_INSTALL_DATADIR}/varlink COMPONENT hostd)
install(FILES ctl/guestlinkctl.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME guestlinkctl
    COMPONENT ctl)
install(FILES once/guestlink.bash
    DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME guestlink
    COMPONENT ctl)
install(FILES once/guestlink.fish
    DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d COMPONENT ctl)
# Debian keeps site-functions for the site and has another folder for packages.
if(EXISTS /etc/debian_version AND CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    set(GUESTLINK_ZSH_FOLDER vendor-completions)
else()
    set(GUESTLINK_ZSH_FOLDER site-functions)
endif()
install(FILES ctl/_guestlinkctl once/_guestlink DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${GUESTLINK_ZSH_FOLDER}
    COMPONENT ctl)
install(FILES fleet.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT hostd)
