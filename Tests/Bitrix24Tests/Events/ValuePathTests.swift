import Testing

@testable import Bitrix24

@Suite struct ValuePathTests {
    private func value(_ path: String, in body: String) throws -> String? {
        ValuePath(path).value(in: try Sample.form(body)).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test(arguments: [
        ("data.FIELDS.ID", "data[FIELDS][ID]=7", "7"), ("data", "data=107", "107"),
        ("data.DATA.0.message.id", "data[DATA][0][message][id]=9", "9"),
        ("data.FIELDS.ID|data.ID", "data[ID]=3", "3"), ("data.FIELDS.ID|data.ID", "data[FIELDS][ID]=2&data[ID]=3", "2"),
        ("data.FIELDS.ID|data.ID", "data[FIELDS][ID]=&data[ID]=3", "3"),
        ("data.FIELDS.ID|data.ID", "data[FIELDS][ID]=0&data[ID]=3", "3"),
        ("data.FIELDS.ID|data.ID", "data[FIELDS][ID][x]=1&data[ID]=3", "3"),
        ("data.A+data.B", "data[A]=1&data[B]=2", "1:2"), ("data.A+data.B", "data[A]=0&data[B]=0", "0:0"),
        ("data.A+data.B|data.C", "data[A]=1&data[C]=3", "3"), ("data.ID", "data[ID]=00", "00"),
        ("_+data.ID|data.ID", "event=ONX_174&data[ID]=5", "174:5"), ("_+data.ID|data.ID", "event=ONX&data[ID]=5", "5"),
        ("_+data.ID|data.ID", "event=ONX_17a&data[ID]=5", "5"), ("_+data.ID|data.ID", "event=ONX_&data[ID]=5", "5"),
    ])
    func takesTheFirstAlternativeThatIsThere(path: String, body: String, expected: String) throws {
        #expect(try value(path, in: body) == expected)
    }

    @Test(arguments: [
        ("data.FIELDS.ID", "data[FIELDS][ID]=0"), ("data.FIELDS.ID", "data[FIELDS][ID]="), ("data.FIELDS.ID", "data=7"),
        ("data.FIELDS.ID", "data[FIELDS]=undefined"), ("data.FIELDS.ID", "data[FIELDS][id]=7"),
        ("data.FIELDS.ID", "data[FIELDS][ID]=7&data=x"), ("data.FIELDS.ID", "data[FIELDS][ID]=7&data[FIELDS]=x"),
        ("data", "data[x]=1"), ("data.A+data.B", "data[A]=1"), ("-", "data[ID]=7&-=8"), ("data.ID", ""),
    ])
    func givesNothingWhereNoAlternativeIsThere(path: String, body: String) throws {
        #expect(try value(path, in: body) == nil)
    }

    @Test func knowsThePathOfNoValue() {
        #expect(ValuePath("-").isNone)
        #expect(!ValuePath("data").isNone)
    }

    @Test(
        arguments: [
            (
                "ONCRMDYNAMICITEMUPDATE_174", [("data[FIELDS][ID]", "22"), ("data[FIELDS][ENTITY_TYPE_ID]", "1220")],
                "1220:22", nil
            ),
            ("ONCRMDYNAMICITEMUPDATE_174", [("data[FIELDS][ID]", "22")], "174:22", nil),
            ("ONCRMDYNAMICITEMUPDATE", [("data[FIELDS][ID]", "22")], "22", nil),
            (
                "ONCRMADDRESSREGISTER",
                [
                    ("data[FIELDS][TYPE_ID]", "1"), ("data[FIELDS][ENTITY_TYPE_ID]", "8"),
                    ("data[FIELDS][ENTITY_ID]", "5"),
                ], "8:5:1", nil
            ),
            (
                "ONTASKCOMMENTADD",
                [
                    ("data[FIELDS_BEFORE]", "undefined"), ("data[FIELDS_AFTER][ID]", "0"),
                    ("data[FIELDS_AFTER][MESSAGE_ID]", "48760"), ("data[FIELDS_AFTER][TASK_ID]", "2536"),
                ], "48760", "2536"
            ),
            (
                "ONTASKCOMMENTDELETE",
                [
                    ("data[FIELDS_BEFORE][ID]", "12"), ("data[FIELDS_BEFORE][TASK_ID]", "3"),
                    ("data[FIELDS_AFTER]", "undefined"),
                ], "12", "3"
            ),
            (
                "ONIMCONNECTORMESSAGEADD",
                [("data[MESSAGES][0][im][chat_id]", "44"), ("data[MESSAGES][0][im][message_id]", "91")], "91", "44"
            ),
            ("ONAPPINSTALL", [("data[VERSION]", "1")], nil, nil),
            ("ONIMCONNECTORLINEDELETE", [("data", "107")], "107", nil),
            ("ONCRMCURRENCYUPDATE", [("data[FIELDS][ID]", "CHE")], "CHE", nil),
        ] as [(String, [(String, String)], String?, String?)]
    )
    func findsTheIdAndWhatOrders(code: String, data: [(String, String)], id: String?, order: String?) throws {
        let record = try Sample.record(Sample.body(code, data))
        let entity = try #require(try record.attribute("b24entity"))
        #expect(try record.attribute("b24entityid") == id)
        #expect(try record.attribute("subject") == ([entity] + (id.map { [$0] } ?? [])).joined(separator: "/"))
        #expect(
            record.keyText == ([Sample.memberID, entity] + ((order ?? id).map { [$0] } ?? [])).joined(separator: "/")
        )
    }
}
