internal import Bitrix24
internal import Bitrix24REST

extension OfflineRow {
    /// When it was changed. `nil`: it does not say, or not in a way that can be read.
    var changed: Timestamp? { changedAt.isEmpty ? nil : Timestamp(rfc3339: changedAt) }

    private var changedSeconds: String? {
        changed.flatMap { $0.milliseconds > 0 ? String($0.milliseconds / 1000) : nil }
    }

    /// Of the event that it tells of.
    func eventID(of memberID: String) -> EnvelopeID {
        // A row without an id is no event either; its dead letter is to be told from others all the same.
        EnvelopeID(
            offlineRow: id.isEmpty ? messageID : id,
            changedAt: changedSeconds ?? changedAt,
            of: memberID
        )
    }

    /// The body that Bitrix24 would have posted of the event, as far as a row tells it.
    func form(of memberID: String, domain: String) -> [UInt8] {
        var auth: [String: JSONValue] = ["member_id": .string(memberID)]
        if !domain.isEmpty { auth["domain"] = .string(domain) }
        if let userID { auth["user_id"] = .string(userID) }
        var form: [String: JSONValue] = ["event": .string(event), "auth": .object(auth)]
        if let data { form["data"] = data }
        if let changedSeconds { form["ts"] = .string(changedSeconds) }
        return Array(FormQuery.text(form).utf8)
    }
}
