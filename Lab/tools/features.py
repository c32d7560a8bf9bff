"""features.py DEVICE FEATURE=on|off…: switches features of a network device by the names that ethtool -k shows."""
import ctypes, fcntl, socket, struct, sys

SIOCETHTOOL = 0x8946
GSTRINGS, GSSET_INFO, SFEATURES = 0x1B, 0x37, 0x3B
FEATURES, NAME_BYTES = 4, 32


def ask(device, request):
    data = bytearray(request)
    address = (ctypes.c_char * len(data)).from_buffer(data)
    fcntl.ioctl(
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM), SIOCETHTOOL,
        struct.pack("16sP", device.encode(), ctypes.addressof(address)))
    return bytes(data)


device, wanted = sys.argv[1], dict(word.split("=") for word in sys.argv[2:])
count = struct.unpack("IIQI", ask(device, struct.pack("IIQI", GSSET_INFO, 0, 1 << FEATURES, 0)))[3]
names = ask(device, struct.pack("III", GSTRINGS, FEATURES, count) + bytes(count * NAME_BYTES))[12:]
names = [names[i * NAME_BYTES:(i + 1) * NAME_BYTES].rstrip(b"\0").decode() for i in range(count)]
blocks = [[0, 0] for _ in range((count + 31) // 32)]
for name, value in wanted.items():
    bit = names.index(name)
    blocks[bit // 32][0] |= 1 << bit % 32
    blocks[bit // 32][1] |= (value == "on") << bit % 32
ask(device, struct.pack("II", SFEATURES, len(blocks)) + b"".join(struct.pack("II", *b) for b in blocks))
