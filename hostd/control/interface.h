/*
 * interface: io.guestlink.varlink as text in the program, made from the file when it is built.
 */
#ifndef GUESTLINK_HOSTD_INTERFACE_H
#define GUESTLINK_HOSTD_INTERFACE_H

extern const char interface_description[];

#endif
