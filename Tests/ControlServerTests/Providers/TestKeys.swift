import JWTKit
import NetTypes

/// The keys of a provider in tests.
enum TestKeys {
    static let published = ES256PrivateKey()
    static let next = ES256PrivateKey()
    static let stranger = ES256PrivateKey()

    /// As it stands in a key set.
    static func json(_ key: ES256PrivateKey, id: String) -> String {
        let parameters = key.publicKey.parameters
        let x = urlForm(parameters?.x), y = urlForm(parameters?.y)
        return
            "{\"kty\":\"EC\",\"use\":\"sig\",\"crv\":\"P-256\",\"kid\":\"\(id)\",\"x\":\"\(x)\",\"y\":\"\(y)\"}"
    }

    private static func urlForm(_ text: String?) -> String {
        Base64.encodeURL(text.flatMap { Base64.decode($0) } ?? [])
    }

    static let rsaJSON =
        "{\"kty\":\"RSA\",\"kid\":\"rsa\",\"e\":\"AQAB\",\"n\":\""
        + "vQu09RmD7YnRv8d-b4vOC9PeXTvmEGwv7GgG-bCdNHUVhQqqF6H4jRFVfpQOH4th3aCbxJz-z0t17rsZn1Gx6Yfpwc2BjxXLAVI_JSoVI6ejvNlsM40KQBaCQmDcmJNRXmk4h1e21EVSu-Lauk06djaeCaCUlaY232KE61Oaz1s"
        + "tYcJF62i1bSF8ww6em86d1f3dFwKPRYVpwxmu64xyklATrGtH_67jkrYZ1_YD6cn9vn03btYD3g3jMATlb-cDsHMOoU4Xh-gM6PH_om9rbLsbmJwTF4be4M-iZQ4XOWkhV8MeqGpdbvKsZx_3P2kfjrf0v1Rvxoad8TYFSEgqNQ\"}"

    /// Made for these tests, used for nothing else.
    static let rsaPEM = """
        -----BEGIN PRIVATE KEY-----
        MIIEvAIBADANBgkqhkiG9w0BAQEFAASCBKYwggSiAgEAAoIBAQC9C7T1GYPtidG/
        x35vi84L095dO+YQbC/saAb5sJ00dRWFCqoXofiNEVV+lA4fi2HdoJvEnP7PS3Xu
        uxmfUbHph+nBzYGPFcsBUj8lKhUjp6O82WwzjQpAFoJCYNyYk1FeaTiHV7bURVK7
        4tq6TTp2Np4JoJSVpjbfYoTrU5rPWy1hwkXraLVtIXzDDp6bzp3V/d0XAo9FhWnD
        Ga7rjHKSUBOsa0f/ruOSthnX9gPpyf2+fTdu1gPeDeMwBOVv5wOwcw6hTheH6Azo
        8f+ib2tsuxuYnBMXht7gz6JlDhc5aSFXwx6oal1u8qxnH/c/aR+Ot/S/VG/Ghp3x
        NgVISCo1AgMBAAECggEAJmxR9gwe0qGTqmNJeTIE6cYA+NmzD8zxa58UJd1GAnK2
        skEB48ZFrqRiiFTezv4FIObjKhHPv4HCoUhRc56G5uR7OCsFBXhEN8tH7s2QGNxa
        jQhy88Jbnj2E8alexLsSi3oe5XFIRXomj+4Sj1Ghi4Pb2LCU6pqrJfmP8wWd3j17
        RcPyW5THuEG1APGsZtgVLEYJNk0mAredp78MCnQATNgUru+dEQT+q+ov1z2z7ip3
        sdxFIZ+ARZmXCkMf3pqaI2ZZqSzcsTtzlb81QI1hhoZ0kgo0TrWcZ0eoIt1uGwmq
        mdYINmItY1H0+8LUKx4cSSRSMWruobdz94lShIMGAQKBgQD+0PeE+4+1bU+D5s83
        6S4BhaRwHwyZrYd1/aYlKFQJZOrRgzfWn7LJwSP0WjO2jca7fXGCu4o9hHYA8bAz
        t+f5zBcJI7CS7zRrFePs7Q9cSPqjZ4adRdDn4YdZi8Gj90t9/3C6PIUBlC1UqH6V
        a/5AwMUWcIQVSmYu/ntTKBLeAQKBgQC97IYyl4ZVerFMwx2X5c/zfRKISVm7nO3G
        9xW+nUvCZifqhwWOy+SGdu7DE+GniqirKKI2tVmQ/KOedh65oeyGtrNSayGRh2qW
        7acuHUjDrvRTL5gJPTVPxqhbQB5FzmiAoYJvBbTiNXe3fSLZ8J/wtPFjDEVfD5dj
        yXmpt0g0NQKBgEKaiDgAMP3xBnmpmLw6fMX1Epgj5X09uEyE8iqAMgcKk74TmELH
        F0pY63bxJNcwk6NqFINhVa7isp1oju/VwBKw38yJwZuGXqMm456IEB3FDY4sfykY
        mJQjhOdI+mJLPzY90E89hl51Rqv8JqoTwi9Ws60716pg+fiKl92SeewBAoGAbROV
        cyLxJNClWUfKDD4Rc28GoL03yvdy3E118JaYNxrCnABV4dAZ/Fv7/o/Bjp6lBj/9
        AdyfhxSBx/Vg6g4kMK5nSNN8YP9b6TiuRl7NNo2ZhtkTwWKk5p9ae6XUfRTxkcaw
        iaDGZRB+JCS7Sl3XDcBtzgvzH4ht0wKYXC+GSW0CgYAEokrQ7V/Kwatfe1OdbLzM
        hCPqJF0Oeir3pig2FZYKf1KBlwxT4+Vs1Fe+IYXcaThRxR/WCY8V3dZsbqR9rxS4
        gM5D7N8P2viJolUX0U6i0jBKyKLGHFkoRB5H7chgD9W49Mbc+c2V6s0cKeT5syhb
        3U2eY2AsedpLEjpdYwNVxw==
        -----END PRIVATE KEY-----
        """
}
