/* protocol_vector_table: what each vector of a sound message says, written down a second time. */
#include "protocol_vector_table.h"

#define TEXT(literal)                                                                              \
    {                                                                                              \
        .data = (literal), .size = sizeof(literal) - 1                                             \
    }
#define LIST(items, literal)                                                                       \
    {                                                                                              \
        .data = (const uint8_t *)(literal), .size = sizeof(literal) - 1, .count = (items)          \
    }
#define CAPABILITIES(...) CAPABILITIES_OF(1, __VA_ARGS__)
#define CAPABILITIES_OF(written, ...)                                                              \
    .message = {.capabilities = {.major = 1,                                                       \
                                 .minor = (written),                                               \
                                 .memory_bytes = 0x7f5c1000,                                       \
                                 .page_size = 4096,                                                \
                                 .cpu_count = 2,                                                   \
                                 .boot_id = {0x0f, 0x1e, 0x2d, 0x3c, 0x4b, 0x5a, 0x49, 0x78, 0x87, \
                                             0x96, 0xa5, 0xb4, 0xc3, 0xd2, 0xe1, 0xf0},            \
                                 .init_version = "0.1.0",                                          \
                                 .started_ns = 412345678,                                          \
                                 .sent_ns = 446789012,                                             \
                                 __VA_ARGS__}}
#define POOL .swiotlb_base = 0x14000000, .swiotlb_size = 67108864
#define WSL  .kernel_release = "6.18.26.3-microsoft-standard-WSL2"

/* Initializers that name a field of CAPABILITIES() again replace it; that is what they are for. */
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif

const struct vector_row vector_rows[] = {
    {"y_capabilities_published", 1, 0, 1, 0, CAPABILITIES(.features = 0x3f, POOL, WSL)},
    {"y_capabilities_not_asked", 1, 0, 1, 0,
     CAPABILITIES(.features = 0xb, .kernel_release = "6.1.0-56-cloud-amd64")},
    {"y_capabilities_old_kernel", 1, 0, 7, 0,
     CAPABILITIES(.features = CAPABILITIES_SECCOMP_USER_NOTIF | CAPABILITIES_VIRTIOFS |
                              CAPABILITIES_OVERLAY | CAPABILITIES_SWIOTLB_ASKED |
                              CAPABILITIES_SWIOTLB_LEFT,
                  .kernel_release = "6.1.0-56-cloud-amd64")},
    {"y_capabilities_default_pool", 1, 0, 7, 0,
     CAPABILITIES(.features = CAPABILITIES_SECCOMP_USER_NOTIF | CAPABILITIES_VIRTIOFS |
                              CAPABILITIES_OVERLAY | CAPABILITIES_SWIOTLB_ASKED |
                              CAPABILITIES_SWIOTLB_LEFT | CAPABILITIES_SWIOTLB_DEFAULT,
                  .swiotlb_base = 0x1b000000, .swiotlb_size = 67108864,
                  .kernel_release = "6.1.0-56-cloud-amd64")},
    {"y_capabilities_allocation_failed", 1, 0, 7, 0, CAPABILITIES(.features = 0x2b, WSL)},
    {"y_capabilities_answer", 1, 1, 0x80000001, 0, CAPABILITIES(.features = 0x3f, POOL, WSL)},
    {"y_capabilities_names_full", 1, 0, 1, 0,
     CAPABILITIES(.features = 0x3f, POOL, .kernel_release = "6.1-üüüüüüüüüüüüüüüüüüüüüüüüüüüüüx",
                  .init_version = "0123456789012345678901234567890")},
    {"y_capabilities_minor_9", 1, 0, 1, VECTOR_OF_OTHERS,
     CAPABILITIES_OF(9, .features = 0xff0000000000003f, POOL, WSL)},
    {"y_capabilities_first_40_bytes", 1, 0, 1, VECTOR_OF_OTHERS,
     .message = {.capabilities = {.major = 1, .features = 0x3f, POOL, .memory_bytes = 0x7f5c1000}}},
    {"y_capabilities_first_8_bytes", 1, 0, 1, VECTOR_OF_OTHERS,
     .message = {.capabilities = {.major = 1}}},
    {"y_welcome_accepted", 2, 1, 1, 0,
     .message = {.welcome = {.major = 1, .status = WELCOME_ACCEPTED, .name = TEXT("dev")}}},
    {"y_welcome_version", 2, 1, 1, 0,
     .message = {.welcome = {.major = 2, .minor = 3, .status = WELCOME_VERSION}}},
    {"y_get_capabilities", 3, 0, 0x80000001, VECTOR_NO_STRUCT, .message = {}},
    {"y_result_success", 4, 1, 9, 0, .message = {.result = {.error = 0}}},
    {"y_result_error", 4, 1, 9, 0,
     .message = {.result = {.error = 19,
                            .text = TEXT("virtio-fs: tag <c> not found after 5000 ms")}}},
    {"y_result_negative", 4, 1, 9, 0, .message = {.result = {.error = -1}}},
    {"y_set_hostname", 16, 0, 2, 0, .message = {.set_hostname = {.name = TEXT("dev")}}},
    {"y_set_hostname_empty", 16, 0, 2, 0, .message = {}},
    {"y_set_hostname_utf8", 16, 0, 2, 0,
     .message = {.set_hostname = {.name = TEXT("\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf"
                                               "\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80"
                                               "\xf4\x8f\xbf\xbf")}}},
    {"y_add_entropy", 17, 0, 3, 0,
     .message = {.add_entropy = {.bits = 128,
                                 .data = TEXT("\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff"
                                              "\0\1\2\3\4\5\6\7")}}},
    {"y_mount_virtiofs", 18, 0, 4, 0,
     .message = {.mount = {.flags = REQUEST_MOUNT_READ_ONLY,
                           .transport = REQUEST_TRANSPORT_VIRTIOFS,
                           .timeout_ms = 10000,
                           .tag = TEXT("c"),
                           .target = TEXT("/mnt/c")}}},
    {"y_mount_9p", 18, 0, 5, 0,
     .message = {.mount = {.transport = REQUEST_TRANSPORT_9P,
                           .port = 50001,
                           .timeout_ms = 5000,
                           .tag = TEXT("src"),
                           .target = TEXT("/srv/source")}}},
    {"y_unmount", 19, 0, 6, 0,
     .message = {.unmount = {.flags = REQUEST_UNMOUNT_DETACH, .target = TEXT("/mnt/c")}}},
    {"y_configure_network", 20, 0, 8, 0,
     .message = {.configure_network = {.flags = REQUEST_NETWORK_NO_RA | REQUEST_NETWORK_NO_RESOLV,
                                       .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56},
                                       .mtu = 1500,
                                       .metric = 101,
                                       .timeout_ms = 20000,
                                       .addresses = LIST(2, "\14\0"
                                                            "10.0.2.15/24"
                                                            "\13\0"
                                                            "fd00::15/64"),
                                       .gateways = LIST(2, "\10\0"
                                                           "10.0.2.2"
                                                           "\7\0"
                                                           "fd00::2"),
                                       .routes = LIST(1, "\24\0"
                                                         "10.1.0.0/16 10.0.2.9"),
                                       .dns = LIST(1, "\10\0"
                                                      "10.0.2.3")}}},
    {"y_configure_network_remove", 20, 0, 8, 0,
     .message = {.configure_network = {.flags = REQUEST_NETWORK_REMOVE,
                                       .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56},
                                       .timeout_ms = 1000}}},
    {"y_configure_network_minor_0", 20, 0, 8, VECTOR_OF_OTHERS,
     .message = {.configure_network = {.flags = REQUEST_NETWORK_REMOVE,
                                       .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56},
                                       .timeout_ms = 1000}}},
    {"y_start_process_payload", 21, 0, 10, 0,
     .message = {.start_process = {.process = 1,
                                   .role = REQUEST_ROLE_PAYLOAD,
                                   .restart = REQUEST_RESTART_ON_FAILURE,
                                   .argv = LIST(3, "\7\0/bin/sh\2\0-c\0\0")}}},
    {"y_start_process_command", 21, 0, 11, 0,
     .message = {.start_process = {.process = 2,
                                   .role = REQUEST_ROLE_COMMAND,
                                   .flags = REQUEST_PROCESS_OUTPUT | REQUEST_PROCESS_INPUT,
                                   .uid = 1000,
                                   .gid = 100,
                                   .directory = TEXT("/srv"),
                                   .argv = LIST(1, "\3\0cat"),
                                   .environment = LIST(2, "\14\0LANG=C.UTF-8\2\0A=")}}},
    {"y_start_process_bounded", 21, 0, 12, 0,
     .message = {.start_process = {.process = 1,
                                   .flags = REQUEST_PROCESS_UMASK,
                                   .umask = 0027,
                                   .stop_signal = 3,
                                   .stop_timeout_ms = 90000,
                                   .memory_max = 0x20000000,
                                   .pids_max = 100,
                                   .argv = LIST(1, "\1\0a"),
                                   .limits = LIST(1, "\25\0nofile 1024 unlimited")}}},
    {"y_start_process_terminal", 21, 0, 23, 0,
     .message = {.start_process = {.process = 3,
                                   .role = REQUEST_ROLE_COMMAND,
                                   .flags = REQUEST_PROCESS_OUTPUT | REQUEST_PROCESS_INPUT |
                                            REQUEST_PROCESS_PTY,
                                   .rows = 24,
                                   .columns = 80,
                                   .argv = LIST(1, "\2\0sh"),
                                   .environment = LIST(1, "\12\0TERM=xterm")}}},
    {"y_start_process_minor_0", 21, 0, 1, VECTOR_OF_OTHERS,
     .message = {.start_process = {.process = 1, .argv = LIST(1, "\1\0a")}}},
    {"y_send_signal", 22, 0, 12, 0, .message = {.send_signal = {.process = 2, .signal = 15}}},
    {"y_shut_down_reboot", 23, 0, 13, 0,
     .message = {.shut_down = {.how = REQUEST_REBOOT, .grace_ms = 90000}}},
    {"y_ping", 24, 0, 14, VECTOR_NO_STRUCT, .message = {}},
    {"y_process_input", 25, 0, 20, 0,
     .message = {.process_input = {.process = 2, .data = TEXT("a\0\xff\n")}}},
    {"y_process_input_end", 25, 0, 21, 0, .message = {.process_input = {.process = 2}}},
    {"y_get_pool_usage", 26, 0, 15, VECTOR_NO_STRUCT, .message = {}},
    {"y_complete_boot", 27, 0, 16, VECTOR_NO_STRUCT, .message = {}},
    {"y_set_time", 28, 0, 22, 0, .message = {.set_time = {.realtime_ns = 1795910400000000123}}},
    {"y_resize_terminal", 29, 0, 24, 0,
     .message = {.resize_terminal = {.process = 3, .rows = 50, .columns = 132}}},
    {"y_output_taken", 30, 0, 0, 0, .message = {.output_taken = {.process = 8000, .bytes = 16384}}},
    {"y_ready", 32, 0, 0, 0,
     .message = {.ready = {.started_ns = 1000000007,
                           .modules_ns = 2000000014,
                           .connected_ns = 3000000021,
                           .sent_ns = 4000000028,
                           .welcomed_ns = 5000000035,
                           .mounted_ns = 6000000042,
                           .network_ns = 7000000049,
                           .payload_ns = 8000000056,
                           .ready_ns = 9000000063}}},
    {"y_child_exited_status", 33, 0, 1, 0,
     .message = {.child_exited = {.process = 2,
                                  .role = REQUEST_ROLE_COMMAND,
                                  .status = 3,
                                  .pid = 77,
                                  .again_ms = EVENT_NOT_AGAIN,
                                  .exited_ns = 98765432100}}},
    {"y_child_exited_signal", 33, 0, 2, 0,
     .message = {.child_exited = {.process = 1,
                                  .role = REQUEST_ROLE_PAYLOAD,
                                  .signal = 9,
                                  .status = 137,
                                  .pid = 78,
                                  .restarts = 2,
                                  .again_ms = 4000,
                                  .exited_ns = 98765432100}}},
    {"y_log_record", 34, 0, 0, 0,
     .message = {.log_record = {.time_ns = 123456789,
                                .level = 4,
                                .dropped = 5,
                                .text = TEXT("swiotlb: größer")}}},
    {"y_process_output", 35, 0, 0, 0,
     .message = {.process_output = {.process = 2,
                                    .stream = EVENT_STDERR,
                                    .data = TEXT("\0\xfe\n")}}},
    {"y_process_output_end", 35, 0, 0, 0,
     .message = {.process_output = {.process = 2, .stream = EVENT_STDOUT}}},
    {"y_pool_usage", 36, 1, 15, 0,
     .message = {.pool_usage = {.slot_bytes = 2048,
                                .count = 2,
                                .pools = {{32768, 12, 400, TEXT("software IO TLB")},
                                          {16384, 1, 0, TEXT("hv_pci")}}}}},
    {"y_pool_usage_none", 36, 1, 15, 0, .message = {.pool_usage = {.slot_bytes = 2048}}},
    {"y_pool_exhausted", 37, 0, 0, 0,
     .message = {.pool_exhausted = {.count = 3,
                                    .used = 32760,
                                    .total = 32768,
                                    .bytes = 65536,
                                    .time_ns = 55555555555}}},
    {"y_farewell", 38, 0, 3, 0,
     .message = {.farewell = {.how = REQUEST_HALT,
                              .reason = EVENT_BY_PAYLOAD,
                              .killed = 65537,
                              .mounted = 131074}}},
    {"y_clock_stepped", 39, 0, 0, 0,
     .message = {.clock_stepped = {.before_ns = 1795906800000000000,
                                   .after_ns = 1795910400000000123}}},
    {"y_unmount_reserved_set", 19, 0, 6, VECTOR_OF_OTHERS,
     .message = {.unmount = {.flags = REQUEST_UNMOUNT_DETACH, .target = TEXT("/mnt/c")}}},
    {"y_mount_reserved_set", 18, 0, 4, VECTOR_OF_OTHERS,
     .message = {.mount = {.flags = REQUEST_MOUNT_READ_ONLY,
                           .timeout_ms = 10000,
                           .tag = TEXT("c"),
                           .target = TEXT("/mnt/c")}}},
    {"y_log_record_reserved_set", 34, 0, 0, VECTOR_OF_OTHERS,
     .message =
         {.log_record = {.time_ns = 123456789, .level = 4, .dropped = 5, .text = TEXT("line")}}},
    {"y_result_reserved_set", 4, 1, 9, VECTOR_OF_OTHERS,
     .message = {.result = {.error = 2, .text = TEXT("x")}}},
    {"y_unknown_type", 999, 0, 17, VECTOR_NO_STRUCT, .message = {}},
    {"y_unknown_flags", 24, 0xfffe, 18, VECTOR_NO_STRUCT, .message = {}},
    {"y_payload_largest", 999, 0, 19, VECTOR_NO_STRUCT | VECTOR_HEADER_ONLY, .message = {}},
};

const size_t vector_rows_count = sizeof(vector_rows) / sizeof(vector_rows[0]);
