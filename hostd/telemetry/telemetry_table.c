/* telemetry table: names, journal message ids and words of the events. */
#include "telemetry_table.h"

#include <syslog.h>

static const struct telemetry_kind kinds[TELEMETRY_EVENT_COUNT] = {
    [TELEMETRY_GUEST_CONNECTED] = {"GuestConnected", "47eaa0992cb6416d86dc283cf0480ff9", LOG_INFO,
                                   "a guest connected"},
    [TELEMETRY_GUEST_KERNEL_INFO] = {"GuestKernelInfo", "1509bb0a9bf143318a118783593942a4",
                                     LOG_INFO, "the guest's kernel"},
    [TELEMETRY_READ_GUEST_CAPABILITIES] = {"ReadGuestCapabilities",
                                           "f5ec52ed0108447592e1bc7656670b14", LOG_INFO,
                                           "the guest's capabilities were read"},
    [TELEMETRY_APPLY_GUEST_CAPABILITIES] = {"ApplyGuestCapabilities",
                                            "59ba1b0d5c904158a909406c2e416788", LOG_INFO,
                                            "the guest's capabilities are applied"},
    [TELEMETRY_SWIOTLB_KERNEL_UNSUPPORTED] = {"SwiotlbKernelUnsupported",
                                              "5d32fe61985f44e7aa095ee82bb29976", LOG_WARNING,
                                              "no SWIOTLB pool of the guest's kernel is known"},
    [TELEMETRY_SWIOTLB_POOL_REJECTED] = {"SwiotlbPoolRejected", "9a1e40b458154a9999e2d15364c7a500",
                                         LOG_WARNING, "the guest's SWIOTLB pool is refused"},
    [TELEMETRY_SWIOTLB_POOL_EXHAUSTED] = {"SwiotlbPoolExhausted",
                                          "68b4aef73eaa4e179d8a4eace693ae2d", LOG_WARNING,
                                          "the guest's SWIOTLB pool is too small"},
    [TELEMETRY_ADD_VIRTIO_FS_SHARE] = {"AddVirtioFsShare", "142c83647806457793e783e7eb04b39b",
                                       LOG_INFO, "a virtiofs share is added"},
    [TELEMETRY_REMOVE_VIRTIO_FS_SHARE] = {"RemoveVirtioFsShare", "3b041641178844f2a60df25453fe2e85",
                                          LOG_INFO, "a virtiofs share is removed"},
    [TELEMETRY_ADD_NET_ADAPTER] = {"AddNetAdapter", "00a154d85ed84bccb5c719c2add9ca88", LOG_INFO,
                                   "a network adapter is added"},
    [TELEMETRY_REMOVE_NET_ADAPTER] = {"RemoveNetAdapter", "c0290103855d4f5599ec8712e8e3574f",
                                      LOG_INFO, "a network adapter is removed"},
    [TELEMETRY_DEVICE_FAILED] = {"DeviceFailed", "6e704245a4ff41e3a7949b80dcb0b82e", LOG_ERR,
                                 "a device failed"},
    [TELEMETRY_DEVICE_APERTURE] = {"DeviceAperture", "591aa7c4abb946d8a1e7e95f9da88a05", LOG_NOTICE,
                                   "the part of the guest's memory that a device's process can "
                                   "reach"},
    [TELEMETRY_MOUNT_SHARE] = {"MountShare", "de1b1471320a48eab7a788d106762832", LOG_INFO,
                               "the guest answered a mount"},
    [TELEMETRY_CONFIGURE_NETWORK] = {"ConfigureNetwork", "4350cc1721e54f21acd552a09ddbef12",
                                     LOG_INFO, "the guest answered its network's configuration"},
    [TELEMETRY_START_PAYLOAD] = {"StartPayload", "9ed89eddd6844325b600e6129ec04ece", LOG_INFO,
                                 "the guest answered the start of its payload"},
    [TELEMETRY_GUEST_READY] = {"GuestReady", "627bf3225fac4cb6a34acb115ee347dd", LOG_NOTICE,
                               "the guest is ready"},
    [TELEMETRY_CHILD_EXIT] = {"ChildExit", "a930d55d954540f3ae889fe46f2c7a8c", LOG_INFO,
                              "a process of the guest exited"},
    [TELEMETRY_GUEST_LOG] = {"GuestLog", "43f2f1936e854f08b5927b0fe339d309", LOG_INFO,
                             "the guest logged"},
    [TELEMETRY_CLOCK_STEPPED] = {"ClockStepped", "91a585862a1a4059b850b91a0c750901", LOG_NOTICE,
                                 "the guest's clock was wrong and was stepped"},
    [TELEMETRY_GUEST_FAREWELL] = {"GuestFarewell", "990d3cd8381d422f850c86bd84e0164b", LOG_NOTICE,
                                  "the guest sent farewell"},
    [TELEMETRY_GUEST_DISCONNECTED] = {"GuestDisconnected", "e07cb5793e7f497bbcc1c0c8b0cdf20a",
                                      LOG_NOTICE, "the guest's connection closed"},
    [TELEMETRY_PROTOCOL_ERROR] = {"ProtocolError", "78f6d82486ea4214b5c34e7e77ca4499", LOG_WARNING,
                                  "the guest violated the protocol; its connection was closed"},
    [TELEMETRY_HANDSHAKE_TIMEOUT] =
        {"HandshakeTimeout", "1dcd327f761e47cbbb7e8913655c1d15", LOG_WARNING,
         "a connection did not send CAPABILITIES in time and was closed"},
    [TELEMETRY_GUEST_TIMEOUT] = {"GuestTimeout", "9672be1a7fed4bb9a92fa271dbc52933", LOG_WARNING,
                                 "the guest did not answer in time"},
    [TELEMETRY_CONFIG_WARNING] = {"ConfigWarning", "c44a66f4cf2543469cbe4f50bdbcda98", LOG_WARNING,
                                  "configuration warning"},
    [TELEMETRY_EVENTS_DROPPED] = {"EventsDropped", "1e2ed6cb64704f1f934b8db4b18fbdb1", LOG_WARNING,
                                  "telemetry was lost"},
};

const struct telemetry_kind *telemetry_table_get(enum telemetry_event event)
{
    return &kinds[event];
}

const char *telemetry_event_name(enum telemetry_event event)
{
    return kinds[event].name;
}
