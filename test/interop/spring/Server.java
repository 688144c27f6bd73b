package example;

import java.util.List;
import java.util.Map;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.web.servlet.context.ServletWebServerApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.security.core.annotation.AuthenticationPrincipal;
import org.springframework.security.oauth2.core.DelegatingOAuth2TokenValidator;
import org.springframework.security.oauth2.jose.jws.SignatureAlgorithm;
import org.springframework.security.oauth2.jwt.*;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;

/** Answers every request with who sent it. The decoder is the one of docs/recipes/identity.md. */
@EnableAutoConfiguration
@Configuration
@Import(Server.Endpoint.class)
public class Server {
    public static void main(String[] arguments) {
        var application = (ServletWebServerApplicationContext) SpringApplication.run(Server.class, arguments);
        System.out.println("running on http://127.0.0.1:" + application.getWebServer().getPort());
    }

    // DECODER

    @RestController
    static class Endpoint {
        @PostMapping("/mcp")
        Map<String, Object> answer(@AuthenticationPrincipal Jwt jwt, @RequestBody Map<String, Object> request) {
            return Map.of("jsonrpc", "2.0", "id", request.get("id"), "result", jwt.getClaims());
        }
    }
}
