package main
import ("encoding/json"; "fmt"; "html/template"; "net/url"; "os"; "strconv"; "log/slog")
func main() {
    x := os.Getenv("X")
    switch os.Args[1] {
    case "%q": fmt.Printf("%q\n", x)
    case "%+q": fmt.Printf("%+q\n", x)
    case "%#v": fmt.Printf("%#v\n", struct{ X string }{x})
    case "%x q": fmt.Println(strconv.QuoteToGraphic(x))
    case "json": out, _ := json.Marshal(map[string]string{"x": x}); fmt.Println(string(out))
    case "url": fmt.Println(url.QueryEscape(x))
    case "path": fmt.Println(url.PathEscape(x))
    case "html": fmt.Println(template.HTMLEscapeString(x))
    case "js": fmt.Println(template.JSEscapeString(x))
    case "slog": slog.New(slog.NewTextHandler(os.Stdout, nil)).Info("failed", "x", x)
    }
}
