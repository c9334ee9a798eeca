from afloc.web.type_stubs import write_no_stubs

write_no_stubs()
