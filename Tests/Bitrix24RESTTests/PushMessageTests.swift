import Foundation
import NIOHTTP1
import Testing

@testable import Bitrix24REST

@Suite struct PushMessageTests {
    private static let message = #"""
        {"id":320146,"mid":"14526134350000000000320146","channel":"c","tag":"672","time":"Thu, 29 Jun 2017 09:50:16 GMT",
        "text":{"module_id":"rest","command":"event_offline","params":[{"connector_id":"OneC","count":1}]},"extra":{}}
        """#

    private func messages(_ text: String) -> [PushMessage]? { PushMessage.all(in: Data(text.utf8)) }

    @Test(arguments: [
        "[\(message)]", message, "#!NGINXNMS!#\(message)#!NGINXNME!#", "\r\n#!NGINXNMS!#\(message)#!NGINXNME!#\n",
    ])
    func `a message is read in either framing`(text: String) throws {
        let message = try #require(messages(text)?.first)
        #expect(messages(text)?.count == 1)
        #expect(message.mid == "14526134350000000000320146" && message.tag == "672")
        #expect(message.time == "Thu, 29 Jun 2017 09:50:16 GMT")
        #expect(message.tellsOfQueues)
    }

    @Test func `many messages come in one answer, and a broken one spoils no other`() {
        let frame = "#!NGINXNMS!#\(Self.message)#!NGINXNME!#"
        #expect(messages(frame + frame)?.count == 2)
        #expect(messages("\(frame)#!NGINXNMS!#{\"a\"#!NGINXNME!#\(frame)")?.count == 2)
        #expect(messages("\(frame)#!NGINXNMS!#{\"mid\":\"1\"")?.count == 1)
        #expect(messages("[\(Self.message),1,null,\(Self.message)]")?.count == 2)
        #expect(messages("[]") == [])
    }

    @Test(arguments: ["<html>", "1", "", "\"x\"", "[", "ping"])
    func `what is no frame is none`(text: String) { #expect(messages(text) == nil) }

    @Test func `only word of offline events counts`() {
        func tells(_ text: JSONValue) -> Bool { PushMessage(["text": text]).tellsOfQueues }
        #expect(!tells(["module_id": "rest", "command": "event", "params": [["connector_id": "a"]]]))
        #expect(!tells(["module_id": "im", "command": "event_offline", "params": [["connector_id": "a"]]]))
        #expect(!tells(nil))
        #expect(
            tells(["module_id": "rest", "command": "event_offline", "params": [["connector_id": "", "count": 1]]])
        )
        #expect(tells(["module_id": "rest", "command": "event_offline"]))
        #expect(tells(.string(#"{"module_id":"rest","command":"event_offline","params":[{"connector_id":7}]}"#)))
    }

    @Test func `an answer is news, silence, nothing or a failure`() {
        func answer(_ status: Int, _ body: String = "", _ headers: HTTPHeaders = [:]) -> PushAnswer {
            PushAnswer(Transport.Received(status: status, headers: headers, body: Data(body.utf8)))
        }
        let own: HTTPHeaders = ["Expires": "Thu, 01 Jan 1973 11:11:01 GMT", "Last-Message-Id": "m7"]
        #expect(answer(304, "", own) == .silence(last: "m7"))
        #expect(answer(304, "", ["last-message-id": "m7"]) == .silence(last: nil))
        #expect(answer(304, "", ["Expires": "Thu, 01 Jan 1973 11:11:01 GMT"]) == .silence(last: nil))
        #expect(PushAnswer(nil) == .silence(last: nil))
        #expect(answer(200) == .nothing)
        #expect(answer(200, "[]") == .silence(last: nil))
        #expect(answer(200, "<html>") == .failure(status: 200))
        #expect(answer(502, "[]") == .failure(status: 502))
        #expect(answer(302) == .failure(status: 302))
        guard case .messages(let messages) = answer(200, Self.message) else { return #expect(Bool(false)) }
        #expect(messages.count == 1)
    }

    @Test func `the configuration is read in its new and its old form`() throws {
        // 2026-03-31T17:05:18+02:00
        let start = 1_774_969_518.0
        let new = try #require(
            PushConfiguration(
                pushConfiguration(at: "https://rtc.example", end: "2026-04-01T05:05:05+02:00"),
                at: start
            )
        )
        #expect(new.endpoint == "https://rtc.example/sub/")
        #expect(new.version == 4 && new.clientID == "fcda45d0859442735f07b8bb5825ded1" && new.token == nil)
        #expect(new.channel?.id == "shared:1.abc" && new.channel?.type == "shared")
        // The channel ends before the configuration.
        #expect(new.life == .seconds(12 * 3600 - 13))
        let old = try #require(
            PushConfiguration(
                [
                    "server": ["version": "2", "long_polling": "http://rtc.example/sub/", "clientId": "c", "jwt": "j"],
                    "channels": ["private": ["id": "p", "end": 1_774_969_618]], "exp": 1_774_969_568,
                ],
                at: start
            )
        )
        #expect(old.endpoint == "http://rtc.example/sub/" && old.version == 2)
        #expect(old.clientID == "c" && old.token == "j" && old.channel?.type == "private")
        #expect(old.life == .seconds(50))
        let token = try #require(
            PushConfiguration(["server": ["long_pooling_secure": "x"], "channels": [], "jwt": "j"], at: 0)
        )
        #expect(token.channel == nil && token.life == nil)
    }

    @Test(arguments: [
        JSONValue.object([:]), ["server": [:], "channels": ["shared": ["id": "s"]]],
        ["server": ["server_enabled": false, "long_polling": "x"], "channels": ["shared": ["id": "s"]]],
        ["server": ["long_polling": "x"], "channels": []],
        ["server": ["long_polling": "x"], "channels": ["shared": ["id": ""]]],
    ])
    func `a portal without a server or a channel has no configuration`(result: JSONValue) {
        #expect(PushConfiguration(result, at: 0) == nil)
    }
}

/// What `pull.application.config.get` answers for a server at `address`.
func pushConfiguration(
    at address: String,
    version: Int64 = 4,
    end: String = "2036-04-01T05:05:05+02:00",
    change: (inout [String: JSONValue]) -> Void = { _ in }
) -> JSONValue {
    var result: [String: JSONValue] = [
        "server": [
            "version": .int(version), "server_enabled": true, "mode": "shared", "hostname": "acme.bitrix24.com",
            "long_polling": .string("\(address)/insecure/"), "long_pooling_secure": .string("\(address)/sub/"),
            "websocket_enabled": true, "config_timestamp": 1_774_886_062,
        ],
        "api": ["revision_web": 19, "revision_mobile": 3],
        "channels": [
            "shared": [
                "id": "shared:1.abc", "start": "2026-03-31T17:05:18+02:00", "end": .string(end), "type": "shared",
            ],
            "private": [
                "id": "private1", "public_id": "x", "start": "2026-03-31T17:05:18+02:00", "end": .string(end),
                "type": "private",
            ],
        ],
        "exp": 1_775_052_318, "publicChannels": [:], "clientId": "fcda45d0859442735f07b8bb5825ded1",
    ]
    change(&result)
    return .object(result)
}

/// A message as a Push & Pull server sends it.
func pushMessage(_ mid: String?, _ module: String, _ command: String, _ parameters: JSONValue = []) -> JSONValue {
    [
        "mid": mid.map { .string($0) } ?? .null, "tag": .string("t\(mid ?? "")"),
        "time": "Thu, 29 Jun 2017 09:50:16 GMT",
        "text": ["module_id": .string(module), "command": .string(command), "params": parameters],
    ]
}

func offlineMessage(_ mid: String?) -> JSONValue {
    pushMessage(mid, "rest", "event_offline", [["connector_id": "a", "count": 1]])
}
