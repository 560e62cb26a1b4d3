let memberID = "a223c6b3710f85df22e9377d6c4f7553"
let token = "51856fefc120afa4b628cc82d3935cce"
let webhookToken = "jvh9y1ulvt2m6k5or90v9mg8nn32ozas"

/// An event's body as Bitrix24 sends it.
func event(
    _ code: String = "ONCRMDEALUPDATE",
    id: String = "1",
    more: String = "",
    member: String = memberID,
    token: String? = token
) -> String {
    "event=\(code)&event_handler_id=1&data[FIELDS][ID]=\(id)\(more)&ts=1466439714&auth[domain]=p.bitrix24.com"
        + "&auth[member_id]=\(member)" + (token.map { "&auth[application_token]=\($0)" } ?? "")
}

func deals(_ ids: some Sequence<Int>) -> [String] { ids.map { event(id: "\($0)") } }
func leads(_ ids: some Sequence<Int>) -> [String] { ids.map { event("ONCRMLEADADD", id: "\($0)") } }
