fn main() {
    let x = std::env::var("X").unwrap();
    match std::env::args().nth(1).unwrap().as_str() {
        "Debug" => println!("{:?}", x),
        "Debug struct" => println!("{:#?}", vec![Some(&x)]),
        "escape_debug" => println!("{}", x.escape_debug()),
        "escape_default" => println!("{}", x.escape_default()),
        _ => println!("{}", x.escape_unicode()),
    }
}
