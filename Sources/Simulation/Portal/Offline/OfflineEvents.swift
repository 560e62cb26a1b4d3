internal import Crypto

/// What a change that is bound offline is about.
struct OfflineKind: Sendable {
    /// As it is bound.
    let code: String
    /// As it was changed; a smart process's own code makes an event of the general one as well.
    let cause: String
    /// `EVENT_DATA` as JSON, between the places where the object's number stands.
    let json: [[UInt8]]
}

/// The queues' events: what goes into them, and what their rows say.
extension PortalWorld {
    /// - Parameter connector: the application itself caused the change, by a call with this `auth_connector`: it does not enter
    ///   that connector's queue (b24restdocs, api-reference/events/offline-events.md). `nil`: somebody else.
    mutating func putOffline(_ code: String, _ change: Change, of index: Int, by user: Int?, connector: String?) {
        for binding in portals[index].bindings where binding.event == code && binding.isOffline {
            guard connector != binding.connector else { continue }
            let key = offlineKey(code, change, connector: connectorNumber(of: binding.connector))
            put(key, of: index, by: user)
        }
    }

    /// Changes so many objects of codes that are bound offline, in turn, as one hit.
    ///
    /// - Parameters:
    ///   - code: `nil`: all that are bound.
    ///   - first: the first object's number; `nil`: one that the queue has not had.
    /// - Returns: `nil`: nothing of it is bound offline.
    mutating func addOfflineRows(
        _ count: Int,
        code: String?,
        first: Int?,
        of index: Int,
        by user: Int? = 1,
        connector: String? = nil,
        signals: Bool = true
    ) -> Int? {
        let bindings = portals[index].bindings.filter { $0.isOffline && (code == nil || $0.event == code) }
        guard !bindings.isEmpty, portals[index].makesEvents else { return nil }
        var events: [String] = []
        for binding in bindings where !events.contains(binding.event) { events.append(binding.event) }
        let targets = events.map { event in
            bindings.filter { $0.event == event && $0.connector != connector }.map { binding in
                offlineKey(event, .object(event, id: "0"), connector: connectorNumber(of: binding.connector))
            }
        }
        let first = first ?? queues[index].rows.count + 1
        let before = offlineRowsMade
        for number in 0..<max(0, count) {
            for var key in targets[number % targets.count] {
                key.object = Int64(first + number)
                put(key, of: index, by: user)
            }
        }
        if signals { signalOffline(of: index, by: user) } else { offlineHit = [:] }
        return offlineRowsMade - before
    }

    private mutating func put(_ key: OfflineQueue.Key, of index: Int, by user: Int?) {
        let isNew = queues[index].add(key, user: Int32(clamping: user ?? 0), now: UInt32(clamping: now))
        if isNew { offlineRowsMade += 1 }
        // Changes that a waiting row stands for are signalled as well: the platform counts what it was told to note.
        offlineHit[key.connector, default: 0] += 1
    }

    // MARK: Codes, connectors, messages

    mutating func connectorNumber(of connector: String) -> UInt16 {
        if let number = connectorNumbers[connector] { return number }
        let number = UInt16(connectors.count)
        connectors.append(connector)
        connectorNumbers[connector] = number
        return number
    }

    private mutating func offlineKey(_ code: String, _ change: Change, connector: UInt16) -> OfflineQueue.Key {
        switch change {
        case .object(let cause, let id):
            if let object = Int64(id), object >= 0, "\(object)" == id {
                return OfflineQueue.Key(object: object, kind: kind(code, cause: cause), connector: connector)
            }
            return freeKey(code, change.data, connector)
        case .free(let data):
            // Data that a change of an object would have make the same message.
            if let id = data["FIELDS"]?["ID"]?.text, Self.data(of: code, id: id) == data {
                return offlineKey(code, .object(code, id: id), connector: connector)
            }
            return freeKey(code, data, connector)
        }
    }

    private mutating func freeKey(_ code: String, _ data: PHPValue, _ connector: UInt16) -> OfflineQueue.Key {
        let kind = kind(code, cause: code)
        let number = freeData.firstIndex(of: data) ?? freeData.count
        if number == freeData.count { freeData.append(data) }
        return OfflineQueue.Key(object: Int64(-1 - number), kind: kind, connector: connector)
    }

    /// Causes whose data are alike are one kind.
    private mutating func kind(_ code: String, cause: String) -> UInt16 {
        let name = "\(code)|\(cause)"
        if let number = kindNumbers[name] { return number }
        let mark = "0b24b24b240"
        let json = Change.object(cause, id: mark).data.json.split(separator: Array(mark.utf8)).map(Array.init)
        let number = kinds.firstIndex { $0.code == code && $0.json == json } ?? kinds.count
        if number == kinds.count { kinds.append(OfflineKind(code: code, cause: cause, json: json)) }
        kindNumbers[name] = UInt16(number)
        return UInt16(number)
    }

    /// md5 of the event's name and its data as JSON, as the platform's module `rest` makes it.
    func messageID(_ key: OfflineQueue.Key) -> String {
        let kind = kinds[Int(key.kind)]
        var text = Array("\(kind.code)|".utf8)
        if key.object >= 0 {
            let id = Array("\(key.object)".utf8)
            for (index, piece) in kind.json.enumerated() {
                if index > 0 { text += id }
                text += piece
            }
        } else {
            text += data(key).json
        }
        var hexadecimal: [UInt8] = []
        let digits = Array("0123456789abcdef".utf8)
        for byte in Insecure.MD5.hash(data: text) {
            hexadecimal.append(digits[Int(byte >> 4)])
            hexadecimal.append(digits[Int(byte & 15)])
        }
        return String(decoding: hexadecimal, as: UTF8.self)
    }

    func data(_ key: OfflineQueue.Key) -> PHPValue {
        if key.object < 0 { return freeData[Int(-1 - key.object)] }
        return Change.object(kinds[Int(key.kind)].cause, id: "\(key.object)").data
    }
}
