extension StandIn {
    /// Every verb by an example, and what it does.
    package static let controls: [(path: String, words: String)] = [
        ("install?portal=1", "the application is installed: ONAPPINSTALL goes to its address"),
        (
            "event?portal=1&code=ONCRMDEALUPDATE&id=7",
            "change a deal: the event goes where it is bound, or becomes a row"
        ),
        (
            "offline?portal=1&count=500",
            "put rows into the queue of what is bound offline (code=, first=; signal=N: silently)"
        ),
        ("push?portal=1&kind=drop", "the long polls of Push & Pull are cut; more kinds below"),
        ("rename?portal=1&domain=new.example", "another domain: the old address answers 302"),
        ("uninstall?portal=1&clean=1", "its tokens die; ONAPPUNINSTALL, where it is bound"),
        ("fault?kind=query-limit&portal=1&method=batch&times=3", "the next calls are met by a fault"),
        ("fault?kind=slow&seconds=5", "answers come late"),
        ("fault?kind=operation-limit&portal=1&method=event.get&seconds=60", "429 until the reset"),
        ("fault?kind=error&code=ACCESS_DENIED&status=403", "any error; 200 is a status, too"),
        ("clear", "faults that have not taken effect are forgotten"),
        ("update?portal=1", "a new version: the bindings are gone, ONAPPINSTALL comes again"),
        ("finish?portal=1", "what BX24.installFinish does, without a browser"),
        ("payment?portal=1&expired=Y", "the paid time is over (N: goes on); ONAPPPAYMENT"),
        ("expire?portal=1&tokens=access", "an hour passes (refresh: 180 days)"),
        ("token?portal=1", "another application token from now on"),
        ("credentials?portal=1", "tells tokens, an authorization code and an incoming webhook of it"),
    ]
}

/// What a person does with the portals by curl: `POST /control/…`, from this host only.
extension PortalWorld {
    /// `nil`: the path is not one of control.
    mutating func control(_ request: StandInRequest) -> StandInAnswer? {
        let parts = request.path.split(separator: "/").map(String.init)
        guard parts.first == "control" else { return nil }
        guard request.isFromLoopback else {
            return Self.wrong(403, "This path answers this host only; call it with 127.0.0.1 or ::1.")
        }
        let verb = parts.dropFirst().joined(separator: "/")
        if request.method != "POST" { return shown(verb, request) }
        guard let parameters = request.parameters else { return Self.wrong(400, "These parameters cannot be read.") }
        let named = parameters["portal"]?.text ?? ""
        let isGeneral = verb == "clear" || (verb == "fault" && named.isEmpty)
        let chosen = named == "all" ? Array(portals.indices) : index(of: named).map { [$0] } ?? []
        guard isGeneral || !chosen.isEmpty else {
            return Self.wrong(
                404,
                "Name a portal: portal= and its member_id, its number (1 to \(portals.count)) or all."
            )
        }
        do throws(ControlFault) {
            return try perform(verb, parameters, chosen)
        } catch {
            return Self.wrong(400, error.words)
        }
    }

    private struct ControlFault: Error {
        let words: String

        init(_ words: String) { self.words = words }
    }

    private mutating func perform(
        _ verb: String,
        _ parameters: PHPValue,
        _ chosen: [Int]
    ) throws(ControlFault) -> StandInAnswer {
        func text(_ name: String) -> String? { parameters[name]?.text.flatMap { $0.isEmpty ? nil : $0 } }
        switch verb {
        case "install", "update":
            let url = text("url") ?? settings.installURL
            guard !url.isEmpty else { throw ControlFault("Give the application's address: url=, or --install-url.") }
            for index in chosen {
                if verb == "install" { install(index, at: url, by: 1) } else { update(index, at: url, by: 1) }
            }
        case "event":
            guard let code = text("code") else { throw ControlFault("Give an event: code=ONCRMDEALUPDATE.") }
            let (posts, rows) = (outbox.count, offlineRowsMade)
            for index in chosen {
                change(
                    code,
                    id: text("id") ?? "1",
                    of: index,
                    by: text("robot") == nil ? 1 : nil,
                    connector: parameters["connector"]?.text
                )
            }
            return Self.told([
                "done": true, "posted": .int(outbox.count - posts), "rows": .int(offlineRowsMade - rows),
            ])
        case "offline":
            guard let told = addOfflineRows(parameters, chosen) else {
                throw ControlFault("Nothing of that is bound offline; bind it by event.bind with event_type=offline.")
            }
            return Self.told(told)
        case "push":
            guard let kind = PushKind(rawValue: text("kind") ?? "") else {
                let names = PushKind.allCases.map(\.rawValue).joined(separator: ", ")
                throw ControlFault("Give kind= and one of: \(names).")
            }
            var portals = 0
            for index in chosen where push(kind, of: index) { portals += 1 }
            guard portals > 0 else {
                throw ControlFault("Nobody has asked there where to listen, by pull.application.config.get.")
            }
            return Self.told(["done": true, "portals": .int(portals)])
        case "rename":
            guard chosen.count == 1 || text("domain") == nil else {
                throw ControlFault("One domain is for one portal.")
            }
            for index in chosen { rename(index, to: text("domain")) }
        case "uninstall":
            for index in chosen { uninstall(index, isClean: text("clean") == "1") }
        case "finish":
            for index in chosen { _ = finishInstallation(index) }
        case "payment":
            for index in chosen { setPayment(index, isExpired: text("expired") != "N") }
        case "expire":
            for index in chosen {
                expireAccessTokens(of: index)
                if text("tokens") == "refresh" { expireRefreshTokens(of: index) }
            }
        case "token":
            for index in chosen { portals[index].applicationToken = makeSecret() }
        case "fault": try addFault(parameters, chosen)
        case "clear": faults = []
        case "credentials":
            guard chosen.count == 1 else { throw ControlFault("Name one portal.") }
            return Self.told(credentials(chosen[0]))
        default: throw ControlFault("There is no such thing; GET /control/ has all that there is.")
        }
        return Self.told(["done": true])
    }

    private mutating func addFault(_ parameters: PHPValue, _ chosen: [Int]) throws(ControlFault) {
        func number(_ name: String) -> Int? { parameters[name]?.text.flatMap { Int($0) } }
        let kind = parameters["kind"]?.text ?? ""
        let method = parameters["method"]?.text
        let fault: Fault
        switch kind {
        case "operation-limit":
            guard let method, !chosen.isEmpty else { throw ControlFault("Give portal= and method= with it.") }
            for index in chosen {
                exhaustOperatingTime(of: method, index, resetIn: number("seconds") ?? 60, after: number("after") ?? 0)
            }
            return
        case "slow": fault = .slow(.seconds(min(max(number("seconds") ?? 5, 0), 500)))
        case "error":
            let status = number("status") ?? 200
            guard let code = parameters["code"]?.text, (200...599).contains(status) else {
                throw ControlFault("Give code= and a status= from 200 to 599.")
            }
            fault = .error(code, parameters["text"]?.text ?? "An error", status: status)
        default:
            guard let known = Fault.named.first(where: { $0.name == kind }) else {
                let names = Fault.named.map(\.name) + ["slow", "operation-limit", "error"]
                throw ControlFault("Give kind= and one of: \(names.joined(separator: ", ")).")
            }
            fault = known.fault
        }
        let portals: [String?] = chosen.isEmpty ? [nil] : chosen.map { self.portals[$0].memberID }
        for portal in portals { inject(fault, portal: portal, method: method, times: number("times") ?? 1) }
    }

    private mutating func credentials(_ index: Int) -> PHPValue {
        let portal = portals[index]
        guard portal.hasApplication else {
            return ["application_token": .text(portal.applicationToken), "webhook": .text(webhookAddress(index))]
        }
        return [
            "application_token": .text(portal.applicationToken),
            "webhook": .text(webhookAddress(index)),
            "access_token": .text(makeAccessToken(of: index, user: 1)),
            "refresh_token": .text(makeRefreshToken(of: index, user: 1)),
            "code": .text(makeCode(of: index, user: 1)),
        ]
    }

    private func shown(_ verb: String, _ request: StandInRequest) -> StandInAnswer {
        switch verb {
        case "": StandInAnswer(contentType: "text/plain; charset=utf-8", body: Array(help.utf8))
        case "portals": Self.told(.list(portals.map(Self.described)))
        case "offline":
            shownOffline(request.parameters?["portal"]?.text ?? "all").map { Self.told($0) }
                ?? Self.wrong(
                    404,
                    "There is no such portal; portal= is its member_id or its number, 1 to \(portals.count)."
                )
        case "calls": Self.told(.list(calls.suffix(100).map(Self.described)))
        case "deliveries": Self.told(.list(deliveries.suffix(100).map(Self.described)))
        default:
            Self.wrong(405, "GET shows portals, calls, deliveries and offline; the rest is POST: see GET /control/.")
        }
    }

    private var help: String {
        var text = "portal= is a member_id, a number or all.\n\n"
        for control in StandIn.controls {
            text += "# \(control.words)\ncurl -X POST '\(address)/control/\(control.path)'\n\n"
        }
        text += "Faults by name (kind=), with portal=, method= and times= as they are wanted:\n\n"
        for fault in Fault.named { text += "  \(fault.name): \(fault.words)\n" }
        text += """

            method=oauth/token and method=oauth/app.info are those of the authorization server, method=pull/sub is the long
            poll of Push & Pull. Without method= polls are spared.

            What Push & Pull sends (push, kind=) to who has asked by pull.application.config.get where to listen:
              \(PushKind.allCases.map(\.rawValue).joined(separator: ", "))

            connector= with event and offline: the application changes it itself, by a call with that auth_connector; such
            a change does not enter that queue. robot=1: nobody changes it.

            GET shows /control/portals, /control/calls, /control/deliveries, and the queues of offline events:
            /control/offline counts the rows of each portal, /control/offline?portal=1 has every row that it ever made, with
            the Unix seconds of its TIMESTAMP_X as it was handed out last.

            """
        return text
    }

    private static func wrong(_ status: Int, _ words: String) -> StandInAnswer {
        told(["error": .text(words)], status: status)
    }

    /// JSON that people can paste from: without escaped slashes, and with a newline.
    private static func told(_ value: PHPValue, status: Int = 200) -> StandInAnswer {
        StandInAnswer(status: status, body: value.json(escapingSlashes: false) + [UInt8(ascii: "\n")])
    }

    private static func described(_ portal: PortalState) -> PHPValue {
        [
            "number": .int(portal.number), "member_id": .text(portal.memberID), "domain": .text(portal.domain),
            "application": .text(portal.installation.words),
            "bindings": .list(
                portal.bindings.map { binding in
                    [
                        "event": .text(binding.event),
                        "handler": binding.handler.map { .text(ShownAddress.text($0)) } ?? .null,
                    ]
                }
            ),
        ]
    }

    private static func described(_ call: AnsweredCall) -> PHPValue {
        [
            "number": .int(call.number), "portal": call.portal.map { .text($0) } ?? .null,
            "method": .text(call.method), "status": .int(call.status), "error": call.error.map { .text($0) } ?? .null,
            "fault": call.fault.map { .text($0) } ?? .null, "isInBatch": .bool(call.isInBatch),
        ]
    }

    private static func described(_ delivery: Delivery) -> PHPValue {
        [
            "number": .int(delivery.number), "portal": .text(delivery.portal), "event": .text(delivery.event),
            "handler": .text(delivery.handler), "status": delivery.status.map { .int($0) } ?? .null,
            "failure": delivery.failure.map { .text($0) } ?? .null,
        ]
    }
}
