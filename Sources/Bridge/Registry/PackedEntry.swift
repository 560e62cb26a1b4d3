/// An entry in as little memory as it takes: thousands of them are kept, and few are looked at. Unpacking takes microseconds.
enum PackedEntry: Sendable {
    case packed([UInt8])
    /// Of an entry with a field that the packing does not know: right in any case, only larger.
    case whole(Whole)

    final class Whole: Sendable {
        let entry: RegistryEntry

        init(_ entry: RegistryEntry) { self.entry = entry }
    }

    init(_ entry: RegistryEntry) {
        var packer = Packer()
        packer.entry(entry)
        // Without the room that it grew by.
        let bytes = Array(unsafeUninitializedCapacity: packer.bytes.count) { buffer, count in
            count = packer.bytes.count
            _ = buffer.initialize(from: packer.bytes)
        }
        var unpacker = Unpacker(bytes)
        self = unpacker.entry(memberID: entry.memberID) == entry ? .packed(bytes) : .whole(Whole(entry))
    }

    func entry(memberID: String) -> RegistryEntry {
        switch self {
        case .packed(let bytes):
            var unpacker = Unpacker(bytes)
            return unpacker.entry(memberID: memberID)
        case .whole(let whole): return whole.entry
        }
    }
}

/// Numbers are written seven bits a byte, least first; a text as its length and its bytes; what may be missing as 0, or 1 and
/// the thing; parts as their number and stamp.
private struct Packer {
    var bytes: [UInt8] = []
    private var lastReplica = ""
    private var lastTime: Int64 = 0

    mutating func entry(_ entry: RegistryEntry) {
        optional(entry.removedAt) { $0.stamp($1) }
        number(Int64(entry.stamps.all.count))
        for (part, stamp) in entry.stamps.all {
            number(Int64(RegisteredPortal.Part.allCases.firstIndex(of: part) ?? 0))
            self.stamp(stamp)
            self.part(part, of: entry.portal)
        }
    }

    private mutating func part(_ part: RegisteredPortal.Part, of portal: RegisteredPortal) {
        switch part {
        case .installation:
            optional(portal.installation) { packer, part in
                packer.number(part.state == .installed ? 0 : 1)
                packer.texts([part.domain, part.clientEndpoint, part.authorizationServer, part.status])
                packer.texts(part.scope)
                packer.optional(part.version) { $0.text($1) }
                packer.optional(part.userID) { $0.text($1) }
                packer.number(part.installedAt)
                packer.optional(part.seenAt) { $0.number($1) }
                packer.optional(part.goneReason) { $0.text($1) }
                packer.optional(part.goneAt) { $0.number($1) }
            }
        case .authorization:
            optional(portal.authorization) { packer, part in
                packer.optional(part.sealed) { $0.text($1.text) }
                packer.number(part.accessExpiresAt)
                packer.number(part.refreshedAt)
                packer.optional(part.needed) { $0.text($1) }
                packer.optional(part.grantedAt) { $0.number($1) }
            }
        case .applicationTokens:
            optional(portal.applicationTokens) { packer, part in
                packer.texts(part.digests)
                packer.optional(part.nonce) { $0.text($1) }
            }
        case .webhooks:
            optional(portal.webhooks) { packer, part in
                packer.texts(part.digests)
                packer.optional(part.domain) { $0.text($1) }
                packer.optional(part.sealedAddress) { $0.text($1.text) }
            }
        case .bindings:
            optional(portal.bindings) { packer, part in
                packer.number(part.installedAt)
                packer.text(part.fingerprint)
                packer.number(part.reconciledAt)
                packer.number(Int64(part.bound))
                packer.number(Int64(part.drift))
                packer.optional(part.error) { $0.text($1) }
                packer.optional(part.errorCode) { $0.text($1) }
                packer.optional(part.handlers) { $0.texts($1) }
                packer.optional(part.connectors) { $0.texts($1) }
                packer.optional(part.isDrainedOnly) { $0.number($1 ? 1 : 0) }
            }
        case .offline:
            optional(portal.offline) { packer, part in
                packer.number(part.deniedSince)
                packer.texts([part.code, part.words])
            }
        case .order:
            optional(portal.order) { packer, part in
                packer.texts([part.id, part.kind.rawValue])
                packer.number(part.at)
                packer.optional(part.since) { $0.number($1) }
            }
        case .report:
            optional(portal.report) { packer, part in
                packer.texts([part.orderID, part.json])
                packer.number(part.at)
            }
        }
    }

    /// The parts of a portal are often of one time and one replica.
    private mutating func stamp(_ stamp: RegistryStamp) {
        number(stamp.time &- lastTime)
        lastTime = stamp.time
        optional(stamp.replica == lastReplica ? nil : stamp.replica) { $0.text($1) }
        lastReplica = stamp.replica
    }

    private mutating func number(_ value: Int64) {
        // So that small ones below zero stay short.
        var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private mutating func text(_ text: String) {
        number(Int64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func texts(_ texts: [String]) {
        number(Int64(texts.count))
        for text in texts { self.text(text) }
    }

    private mutating func optional<Value>(_ value: Value?, _ write: (inout Packer, Value) -> Void) {
        bytes.append(value == nil ? 0 : 1)
        if let value { write(&self, value) }
    }
}

/// Reads what `Packer` wrote, in this process; there is nothing that could be damaged.
private struct Unpacker {
    private let bytes: [UInt8]
    private var next = 0
    private var lastReplica = ""
    private var lastTime: Int64 = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func entry(memberID: String) -> RegistryEntry {
        var entry = RegistryEntry(memberID: memberID)
        if let removedAt = optional({ $0.stamp() }) { entry.remove(at: removedAt) }
        var portal = RegisteredPortal(memberID: memberID)
        for _ in 0..<number() {
            let part = RegisteredPortal.Part.allCases[Int(number())]
            let stamp = stamp()
            self.part(part, of: &portal)
            entry.set(part, of: portal, at: stamp)
        }
        return entry
    }

    private mutating func part(_ part: RegisteredPortal.Part, of portal: inout RegisteredPortal) {
        switch part {
        case .installation:
            portal.installation = optional { unpacker in
                let state = RegisteredPortal.Installation.State(isGone: unpacker.number() == 1)
                let texts = unpacker.texts()
                return RegisteredPortal.Installation(
                    state: state,
                    domain: texts[0],
                    clientEndpoint: texts[1],
                    authorizationServer: texts[2],
                    status: texts[3],
                    scope: unpacker.texts(),
                    version: unpacker.optional { $0.text() },
                    userID: unpacker.optional { $0.text() },
                    installedAt: unpacker.number(),
                    seenAt: unpacker.optional { $0.number() },
                    goneReason: unpacker.optional { $0.text() },
                    goneAt: unpacker.optional { $0.number() }
                )
            }
        case .authorization:
            portal.authorization = optional { unpacker in
                RegisteredPortal.Authorization(
                    sealed: unpacker.optional { SealedText(text: $0.text()) },
                    accessExpiresAt: unpacker.number(),
                    refreshedAt: unpacker.number(),
                    needed: unpacker.optional { $0.text() },
                    grantedAt: unpacker.optional { $0.number() }
                )
            }
        case .applicationTokens:
            portal.applicationTokens = optional { unpacker in
                RegisteredPortal.ApplicationTokens(digests: unpacker.texts(), nonce: unpacker.optional { $0.text() })
            }
        case .webhooks:
            portal.webhooks = optional { unpacker in
                RegisteredPortal.Webhooks(
                    digests: unpacker.texts(),
                    domain: unpacker.optional { $0.text() },
                    sealedAddress: unpacker.optional { SealedText(text: $0.text()) }
                )
            }
        case .bindings:
            portal.bindings = optional { unpacker in
                RegisteredPortal.Bindings(
                    installedAt: unpacker.number(),
                    fingerprint: unpacker.text(),
                    reconciledAt: unpacker.number(),
                    bound: Int(unpacker.number()),
                    drift: Int(unpacker.number()),
                    error: unpacker.optional { $0.text() },
                    errorCode: unpacker.optional { $0.text() },
                    handlers: unpacker.optional { $0.texts() },
                    connectors: unpacker.optional { $0.texts() },
                    isDrainedOnly: unpacker.optional { $0.number() == 1 }
                )
            }
        case .offline:
            portal.offline = optional { unpacker in
                let since = unpacker.number()
                let texts = unpacker.texts()
                return RegisteredPortal.Offline(deniedSince: since, code: texts[0], words: texts[1])
            }
        case .order:
            portal.order = optional { unpacker in
                let texts = unpacker.texts()
                let kind = RegisteredPortal.Order.Kind(rawValue: texts[1]) ?? .check
                return RegisteredPortal.Order(
                    id: texts[0],
                    kind: kind,
                    at: unpacker.number(),
                    since: unpacker.optional { $0.number() }
                )
            }
        case .report:
            portal.report = optional { unpacker in
                let texts = unpacker.texts()
                return RegisteredPortal.Report(orderID: texts[0], at: unpacker.number(), json: texts[1])
            }
        }
    }

    private mutating func stamp() -> RegistryStamp {
        lastTime &+= number()
        lastReplica = optional { $0.text() } ?? lastReplica
        return RegistryStamp(time: lastTime, replica: lastReplica)
    }

    private mutating func number() -> Int64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = bytes[next]
            next += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { break }
            shift += 7
        }
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    private mutating func text() -> String {
        let count = Int(number())
        defer { next += count }
        return String(decoding: bytes[next..<(next + count)], as: UTF8.self)
    }

    private mutating func texts() -> [String] {
        let count = Int(number())
        return (0..<count).map { _ in text() }
    }

    private mutating func optional<Value>(_ read: (inout Unpacker) -> Value) -> Value? {
        let isThere = bytes[next] == 1
        next += 1
        return isThere ? read(&self) : nil
    }
}

extension RegisteredPortal.Installation.State {
    fileprivate init(isGone: Bool) { self = isGone ? .gone : .installed }
}
