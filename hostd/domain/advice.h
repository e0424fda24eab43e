/*
 * advice: what to do about an error of libvirt's. Nearly all of QEMU's refusals have one code, so
 * that the words decide; another libvirt may say them otherwise, and then there is no advice.
 */
#ifndef GUESTLINK_HOSTD_DOMAIN_ADVICE_H
#define GUESTLINK_HOSTD_DOMAIN_ADVICE_H

#include "libvirt.h"

/* @return "; what to do", static; "" if there is nothing to say */
const char *advice_find(const struct libvirt_reply *reply);

/* True if what serves a share did not offer VIRTIO_F_ACCESS_PLATFORM. */
bool advice_is_iommu(const struct libvirt_reply *reply);

/* True if the device was asked to go before, and has not yet gone. */
bool advice_is_unplugging(const struct libvirt_reply *reply);

/* True if the domain has no such device. */
bool advice_is_missing(const struct libvirt_reply *reply);

#endif
