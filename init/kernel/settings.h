/*
 * settings: what a kernel and an empty root leave to the program that boots them, and programs
 * count on.
 */
#ifndef GUESTLINK_INIT_SETTINGS_H
#define GUESTLINK_INIT_SETTINGS_H

/*
 * Sets fs.protected_{symlinks,hardlinks,fifos,regular} and net.ipv4.ping_group_range as systemd's
 * sysctl.d has them, where they still have the kernel's defaults (so that `sysctl.*` of the command
 * line wins); and makes /run/lock and /var/tmp if they are not there.
 */
void settings_apply(void);

/*
 * Writes /etc/hosts with localhost and this machine's own name, if there is none, or it is still as
 * this function wrote it. While the name stays the same, no file is looked at again. A root that
 * cannot be written stays without.
 */
void settings_write_hosts(void);

#endif
